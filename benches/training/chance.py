"""The head that states p_weak: a small network on what the written file makes of each prompt, fitted last.

The layers and the other heads stay as they are, so nothing here moves the order of prompts. What is fitted is a chance:
that a weak-tier model answers well. Alone it can be fitted in seconds, in as many passes as the dev split supports.
"""
import numpy as np
import torch

import corpus
from encoder import WIDTH
from features import SURFACE

HIDDEN, EPOCHS, BATCH, RATE, DECAY, SEED = 64, 12, 256, 1e-3, 0.01, 0
DROP_IN, DROP_HIDDEN = 0.1, 0.3
ANCHOR_WEIGHT = 1.0
FAR = 3.0                          # standard deviations at which a surface number is cut, as in the exported graph


def samples(share_alike=True):
    """Conversations with outcomes or anchors' labels; levels that were only guessed say nothing of a chance."""
    found = corpus.rows() + (corpus.rows(file="share_alike") if share_alike else [])
    return [s for s in found if s.weights[0] == 1.0] + corpus.anchors(ANCHOR_WEIGHT)


def read(scorer, samples):
    """(embeddings, surface numbers) of conversations, as the written file gives them."""
    embeddings = np.stack([scorer(s.parts, s.tools, s.images)[2] for s in samples])
    return embeddings, np.stack([corpus.surface(s) for s in samples])


def fit(embeddings, surface, samples, seed=SEED):
    """The head's arrays by name: `hidden` and `out` with weight and bias, `direct`; mean and std scale the surface numbers."""
    rows = np.array([s.source != "anchors" for s in samples])
    middle, width = embeddings.mean(0), embeddings.std(0) + 1e-5
    mean, std = surface[rows].mean(0), np.maximum(surface[rows].std(0), .05)
    inputs = np.concatenate([(embeddings - middle) / width, np.clip((surface - mean) / std, -FAR, FAR)], 1).astype(np.float32)
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    inputs = torch.from_numpy(inputs)
    labels = torch.tensor([s.labels[0] for s in samples], dtype=torch.float32)
    weights = torch.tensor([s.weights[0] for s in samples], dtype=torch.float32)
    hidden, out, direct = torch.nn.Linear(inputs.shape[1], HIDDEN), torch.nn.Linear(HIDDEN, 1), torch.nn.Linear(inputs.shape[1], 1, bias=False)
    torch.nn.init.zeros_(direct.weight)
    drop_in, drop_hidden = torch.nn.Dropout(DROP_IN), torch.nn.Dropout(DROP_HIDDEN)
    kept = [*hidden.parameters(), *out.parameters(), *direct.parameters()]
    optimiser = torch.optim.AdamW(kept, lr=RATE, weight_decay=DECAY)
    steps = EPOCHS * (len(samples) // BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: .5 * (1 + np.cos(np.pi * step / steps)))
    loss_of = torch.nn.functional.binary_cross_entropy_with_logits
    for _ in range(EPOCHS):
        order = rng.permutation(len(samples))
        for first in range(0, len(order) - BATCH + 1, BATCH):
            at = torch.from_numpy(order[first:first + BATCH])
            x = inputs[at]
            logit = (out(drop_hidden(torch.nn.functional.gelu(hidden(drop_in(x))))) + direct(x))[:, 0]
            loss = (loss_of(logit, labels[at], reduction="none") * weights[at]).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    # The embeddings' scale goes into the weights, for the graph has them as they are.
    inner, straight = hidden.weight.detach().numpy().copy(), direct.weight.detach().numpy().copy()
    inner[:, :WIDTH] /= width
    straight[:, :WIDTH] /= width
    arrays = {"hidden.weight": inner, "hidden.bias": hidden.bias.detach().numpy() - inner[:, :WIDTH] @ middle,
              "out.weight": out.weight.detach().numpy(), "out.bias": out.bias.detach().numpy() - straight[:, :WIDTH] @ middle,
              "direct.weight": straight, "mean": mean, "std": std}
    assert arrays["hidden.weight"].shape[1] == WIDTH + len(SURFACE)
    return {name: value.astype(np.float32) for name, value in arrays.items()}


def blank():
    """A head that says nothing of any prompt."""
    wide, f = WIDTH + len(SURFACE), np.float32
    return {"hidden.weight": np.zeros((HIDDEN, wide), f), "hidden.bias": np.zeros(HIDDEN, f), "out.weight": np.zeros((1, HIDDEN), f),
            "out.bias": np.zeros(1, f), "direct.weight": np.zeros((1, wide), f), "mean": np.zeros(len(SURFACE), f), "std": np.ones(len(SURFACE), f)}


def logit(arrays, embeddings, surface):
    """The head's logit, as the exported graph computes it."""
    both = np.concatenate([embeddings, np.clip((surface - arrays["mean"]) / arrays["std"], -FAR, FAR)], 1).astype(np.float32)
    inner = torch.from_numpy(both @ arrays["hidden.weight"].T + arrays["hidden.bias"])
    inner = torch.nn.functional.gelu(inner).numpy()
    return (inner @ arrays["out.weight"].T + arrays["out.bias"] + both @ arrays["direct.weight"].T)[:, 0]

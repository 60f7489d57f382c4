#!/usr/bin/env python3
"""Trains the network and writes config/classifier/ from the rows and anchors beside this file. See README.md.

    train_network.py                 trains, exports, writes tokenizer, declaration and reference scores
    train_network.py --data DIR      also measures on the routing data in DIR and writes the model card
"""
import argparse
import gzip
import hashlib
import json
import math
import pathlib
import random
import shutil
import time

import numpy as np
import torch

import chance
import corpus
import dataset
import encoder
import evaluate
import export_network
import features
import reading
import vocabulary

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
NAME = "waypost-network-1"
SEED = 0
# Steps and what an anchor weighs in each cycle. A cycle warms up, falls to nothing on a cosine, and draws the exam
# prompts' variations anew; the later ones lean on the rows, for the first has the anchors nearly right.
CYCLES = ((1000, 2.0), (800, 1.0), (600, 1.0))
BATCH, RATE, DECAY, WARM = 32, 2e-4, 0.01, 50
OFFSET_RATE, OFFSET_DECAY = 20.0, 0.01   # of the sources' offsets: learning rate beside RATE, weight of their squares
FROZEN_LAYERS = 1
SURFACE = ("log_stem_bytes", "log_stem_tokens", "log_context_bytes", "tools", "images")
OUTPUTS = ("p_weak", "p_strong", "p_mean")
# Two more heads learn the weak models' and the mean outcome once more, but may take an offset for each source: what is
# left is how hard a prompt is among its like. Our own anchors have no offset and hold the scale.
ORDER_HEADS = ("weak", "mean")
# What is stated, as a mixture of logits: the heads' (three outputs, two order heads), the linear stage's, standard deviations
# (-2 to 1.5, and -2 to 2.5) of the log length of the question, and the chance that `chance.py` fits. The linear stage sees words
# that the network does not, but takes long pasted texts for hard, so it has no part in difficulty; the length carries over to
# families of prompts that were left out of the training. For exams it does so all the more: see `exam.py`.
MIX = ((0, 0, 0, 0, 0, .25, 0, 0, .75),                   # p_weak
       (0, 1, 0, 0, 0, 0, 0, 0, 0),                       # p_strong
       (0, 0, .5, 0, .5, 0, 0, 0, 0),                     # p_mean
       (1 / 3, 0, 0, 1 / 3, 1 / 3, 0, -.75, 0, 0),        # ease, one minus difficulty
       (1 / 6, 0, 0, 1 / 6, 1 / 6, 0, 0, -1.25, 0))       # ease of an exam question, by `exam.py`
EXAM = -.63                        # added to the latter, so that it is right about the exams' mean
COLUMNS = [features.SURFACE.index(name) for name in SURFACE]


class Batches:
    """Batches of about equal length, in random order, without end."""

    def __init__(self, read, rng):
        self.read, self.rng = read, rng

    def __iter__(self):
        while True:
            order = list(range(len(self.read)))
            self.rng.shuffle(order)
            for first in range(0, len(order) - BATCH * 32 + 1, BATCH * 32):
                chunk = sorted(order[first:first + BATCH * 32], key=lambda i: len(self.read[i][0]))
                batches = [chunk[k:k + BATCH] for k in range(0, len(chunk), BATCH)]
                self.rng.shuffle(batches)
                yield from batches


def together(read, rows):
    """Padded ids, types and mask of these rows."""
    longest = max(len(read[i][0]) for i in rows)
    ids, types = (torch.zeros(len(rows), longest, dtype=torch.long) for _ in range(2))
    mask = torch.zeros(len(rows), longest)
    for at, i in enumerate(rows):
        length = len(read[i][0])
        ids[at, :length], types[at, :length], mask[at, :length] = torch.from_numpy(read[i][0]), torch.from_numpy(read[i][1]), 1
    return ids, types, mask


def fresh(samples, keep):
    """The network before training, which knows how its numbers are spread over the rows."""
    net = encoder.load(encoder.Network(len(keep), len(COLUMNS), len(OUTPUTS) + len(ORDER_HEADS)), keep)
    surface = torch.tensor(np.stack([corpus.surface(s) for s in samples if s.source != "anchors"]))[:, COLUMNS]
    net.mean.copy_(surface.mean(0))
    net.std.copy_(surface.std(0).clamp(min=.05))
    return net


def fit(net, samples, reader, steps, seed):
    """Trains the network for one cycle."""
    read = [reader.read(s.parts) for s in samples]
    surface = torch.tensor(np.stack([corpus.surface(s) for s in samples]))[:, COLUMNS]
    labels = torch.tensor([s.labels for s in samples], dtype=torch.float32)
    weights = torch.tensor([s.weights for s in samples], dtype=torch.float32)
    names = sorted({s.source for s in samples})
    source = torch.tensor([names.index(s.source) for s in samples])
    free = torch.tensor([float(s.source != "anchors") for s in samples])[:, None]
    evened = weights * torch.tensor(corpus.balance(samples), dtype=torch.float32)[:, None]
    again = [0, 2]                 # the labels of ORDER_HEADS
    labels, weights = torch.cat([labels, labels[:, again]], 1), torch.cat([weights, evened[:, again]], 1)
    for module in (net.words, net.places, net.types, net.norm, *net.layers[:FROZEN_LAYERS]):
        module.requires_grad_(False)
    heads = [*net.hidden.parameters(), *net.heads.parameters(), *net.direct.parameters()]
    trunk = [p for layer in net.layers[FROZEN_LAYERS:] for p in layer.parameters()]
    offsets = torch.nn.Parameter(torch.zeros(len(names), len(ORDER_HEADS)))
    optimiser = torch.optim.AdamW([{"params": trunk, "lr": RATE}, {"params": heads, "lr": RATE},
                                   {"params": [offsets], "lr": RATE * OFFSET_RATE, "weight_decay": 0.0}], weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min(1, (step + 1) / WARM) * .5 * (1 + math.cos(math.pi * step / steps)))
    loss_of = torch.nn.functional.binary_cross_entropy_with_logits
    net.train()
    started, total = time.time(), 0.0
    for step, rows in zip(range(steps), Batches(read, random.Random(seed))):
        at = torch.tensor(rows)
        with torch.autocast("cpu", torch.bfloat16):
            logits = net(*together(read, rows), surface[at])[0]
        logits = logits.float()
        shift = torch.cat([torch.zeros(len(rows), len(OUTPUTS)), offsets[source[at]] * free[at]], 1)
        loss = (loss_of(logits + shift, labels[at], reduction="none") * weights[at]).sum() / (len(OUTPUTS) * len(rows))
        loss = loss + OFFSET_DECAY * (offsets ** 2).mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trunk + heads, 1.0)
        optimiser.step()
        schedule.step()
        total += loss.item()
        if step % 100 == 99:
            print(f"step {step + 1}: loss {total / 100:.4f}, {time.time() - started:.0f} s", flush=True)
            total = 0.0
    net.eval()


def train(keep, reader, kept=None):
    """All cycles, and the mean of the weights after each; `kept` is a folder for the weights after each, which are taken from there if they exist."""
    net, after = None, []
    for cycle, (steps, anchor_weight) in enumerate(CYCLES):
        samples = corpus.rows(SEED + cycle) + corpus.anchors(anchor_weight)
        torch.manual_seed(SEED + cycle)
        if net is None:
            net = fresh(samples, keep)
        state = kept / f"cycle-{cycle + 1}.pt" if kept else None
        if state and state.exists():
            net.load_state_dict(torch.load(state))
        else:
            print(f"cycle {cycle + 1}: {len(samples)} conversations", flush=True)
            fit(net, samples, reader, steps, SEED + cycle)
            if state:
                torch.save(net.state_dict(), state)
        after.append({name: value.clone() for name, value in net.state_dict().items()})
    net.load_state_dict({name: sum(state[name] for state in after) / len(after) for name in after[0]})
    return net.eval(), samples


def export(net, chance, out, fp32=None):
    """Writes model.onnx, and where asked the float32 file."""
    arrays = {name: value.numpy() for name, value in net.state_dict().items()}
    export_network.write(export_network.wide(arrays, COLUMNS), len(net.layers), chance, MIX, EXAM, out / "model.onnx", fp32)


def declare(out):
    """Writes the declaration: what the file takes and gives and how a conversation is read."""
    def tensor(name, kind, shape, meaning):
        return {"name": name, "type": kind, "shape": shape, "meaning": meaning}
    whole = ["batch", "tokens"]
    declaration = {
        "format": 2, "name": NAME, "stage": "network",
        "model_sha256": hashlib.sha256((out / "model.onnx").read_bytes()).hexdigest(),
        "tokenizer": "tokenizer.json", "tokenizer_sha256": hashlib.sha256((out / "tokenizer.json").read_bytes()).hexdigest(),
        "linear_sha256": hashlib.sha256((out / "linear" / "model.onnx").read_bytes()).hexdigest(),
        "inputs": {
            "ids": tensor("input_ids", "int64", whole, "token ids: [CLS] focus [SEP], and context [SEP] where there is any"),
            "mask": tensor("attention_mask", "int64", whole, "1 for a token, 0 for padding"),
            "types": tensor("token_type_ids", "int64", whole, "0 for the focus and its marks, 1 for the context and its mark"),
            "surface": tensor("surface", "float32", ["batch", len(features.SURFACE)], features.SURFACE),
            "linear": tensor("linear", "float32", ["batch", 1], "p_weak of the linear stage")},
        "outputs": {
            "difficulty": tensor("difficulty", "float32", ["batch", 1], "0 (any model will do) to 1"),
            "probabilities": tensor("probabilities", "float32", ["batch", len(OUTPUTS)], list(OUTPUTS)),
            "embedding": tensor("embedding", "float32", ["batch", encoder.WIDTH], "mean of the last layer, for calibration")},
        "reading": {"max_tokens": reading.MAX_TOKENS, "tail_tokens": reading.TAIL_TOKENS, "context_tokens": reading.CONTEXT_TOKENS,
                    "head_bytes": features.HEAD, "tail_bytes": features.TAIL, "part_bytes": features.PART,
                    "context_bytes": features.CONTEXT, "separator": "[SEP]", "start": "[CLS]"},
        # Activations are quantised over a whole run: a prompt's score would depend on the prompts beside it.
        "batch": 1}
    (out / "declaration.json").write_text(json.dumps(declaration, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def cases(count=1000):
    """Conversations for the reference scores: rows, anchors, conversations, and texts that strain the reading."""
    rng = random.Random(7)
    long = "Explain the fault in this log.\n" + "\n".join(f"line {i}: worker {i % 7} took {i * 37 % 991} ms" for i in range(600))
    odd = ["", " ", "hi", "é" * 3000, "词" * 2000, "a" * 5000, "🙂🙂 ok", "ไทยไม่มีช่องว่าง", "한국어 문장입니다.", "שלום עולם", "हिन्दी में एक वाक्य।",
           "\u00a0\u200bnbsp\ufeff", "combining e\u0301 a\u0308 \u0000 null", "[CLS] [SEP] [MASK] [PAD] [UNK]", "tabs\tand\r\nlines", long, long + "？"]
    result = [([("user", text)], 0, 0) for text in odd]
    result += [([("system", long), ("user", text), ("assistant", long), ("user", "Und kürzer?"), ("tool", "{\"ok\": true}")], 3, 1) for text in odd[:6]]
    result += [([], 0, 0), ([("assistant", "no user"), ("tool", "at all")], 0, 1)]
    pool = corpus.rows() + corpus.anchors()
    rng.shuffle(pool)
    return (result + [(s.parts, s.tools, s.images) for s in pool])[:count]


def reference(out, path):
    """Scores of the written file for the Rust test: the same conversation must give the same numbers to 1e-4."""
    score = evaluate.Scorer(out)
    with open(path, "wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
        for parts, tools, images in cases():
            difficulty, probabilities, embedding = score(parts, tools, images)
            ids, types = score.reader.read(parts)
            line = {"parts": parts, "tools": tools, "images": images, "tokens": len(ids), "context_tokens": int(types.sum()),
                    "ids_sum": int((ids * (np.arange(len(ids)) + 1)).sum()), "difficulty": round(difficulty, 6),
                    "probabilities": [round(float(p), 6) for p in probabilities], "embedding_0": round(float(embedding[0]), 5)}
            packed.write((json.dumps(line, ensure_ascii=False) + "\n").encode("utf-8"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, help="folder of the routing data, to measure and to write the model card")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "config" / "classifier")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--state", type=pathlib.Path, help="folder where the weights after each cycle are kept; taken from there if they exist")
    parser.add_argument("--without-share-alike", action="store_true", help="leave ARC and Natural Questions out, whose texts are share-alike")
    parser.add_argument("--fp32", type=pathlib.Path, help="where to put the float32 file, for comparison")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    started = time.time()
    if args.without_share_alike and args.out == parser.get_default("out") and not args.data:
        parser.error("--without-share-alike makes another file than the card beside it tells of: name --data too, or another --out")
    args.out.mkdir(parents=True, exist_ok=True)
    if not (args.out / "linear").exists():
        shutil.copytree(ROOT / "config" / "classifier" / "linear", args.out / "linear")
    source = encoder.source_folder() / "tokenizer.json"
    keep = vocabulary.choose(source, corpus.texts())
    vocabulary.write(source, keep, args.out / "tokenizer.json")
    print(f"{len(keep)} word pieces at {time.time() - started:.0f} s", flush=True)
    net, samples = train(keep, reading.Reader(args.out / "tokenizer.json"), args.state)
    print(f"trained at {time.time() - started:.0f} s", flush=True)
    # The last head learns from what the written file gives, so there is one before it with a head that says nothing.
    export(net, chance.blank(), args.out)
    taught = chance.samples(not args.without_share_alike)
    head = chance.fit(*chance.read(evaluate.Scorer(args.out), taught), taught)
    export(net, head, args.out, args.fp32)
    print(f"the chance fitted at {time.time() - started:.0f} s", flush=True)
    declare(args.out)
    # What belongs to the shipped file stays with it.
    beside = HERE if args.out == parser.get_default("out") else args.out
    reference(args.out, beside / "reference.jsonl.gz")
    if args.data:
        import card_network
        card_network.write(args.out, args.data, samples, taught, beside)
    print(f"done in {time.time() - started:.0f} s: {args.out}")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Trains the difficulty classifier and writes config/classifier/linear/: train.py --data DIR (the routing data). See README.md."""
import argparse
import pathlib
import sys
import time

import numpy as np
import onnxruntime

import card
import dataset
import export
import features
import golden
import network

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SEED = 0
NAME = "waypost-linear-1"
# Chosen by cross-validation on the training rows, the dev split and heldout_own.jsonl; see the model card.
LINEAR = dict(dim=1, hidden=0, uses=("log_stem_bytes", "log_stem_tokens"))
DEEP = dict(dim=4, hidden=32)
DEEP_SEEDS = (1, 2)
SHARE_LINEAR = .7
LENGTH = .25
FIT = dict(epochs=8, batch=256, rate=2e-2, decay=3.0, drop=.6)


def prepare(rows):
    return network.sparse([features.features(parts, tools, images) for parts, tools, images, *_ in rows])


def scorer(path):
    """p_weak of one sample by the written file, as the gateway computes it."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    def score(ids, weights, surface):
        feed = {"ids": ids.astype(np.int64), "weights": weights[None].astype(np.float32), "surface": surface[None].astype(np.float32)}
        return float(session.run(["p_weak"], feed)[0][0, 0])
    return score


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, type=pathlib.Path, help="folder of the routing data")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "config" / "classifier" / "linear")
    parser.add_argument("--tests", type=pathlib.Path, default=ROOT / "src" / "classify" / "testdata")
    args = parser.parse_args()
    started = time.time()

    rows = dataset.rows(args.data, "train")
    own = dataset.anchors()
    x, surface = prepare(rows + own)
    target = np.array([r[3] for r in rows + own], np.float32)
    source = np.array([r[5] for r in rows + own])
    weight = dataset.balanced(np.array([r[4] for r in rows + own], np.float32), source)
    print(f"{len(rows)} rows, {len(own)} anchors, {x.nnz / x.shape[0]:.0f} features each, read in {time.time() - started:.0f} s")
    heads = [network.Head(**LINEAR, seed=SEED).fit(x, surface, target, weight, source, seed=SEED, **FIT)]
    heads += [network.Head(**DEEP, seed=s).fit(x, surface, target, weight, source, seed=s, **FIT) for s in DEEP_SEEDS]
    mix = network.Mix(heads, [SHARE_LINEAR] + [(1 - SHARE_LINEAR) / len(DEEP_SEEDS)] * len(DEEP_SEEDS), LENGTH)
    print(f"trained at {time.time() - started:.0f} s")

    args.tests.mkdir(parents=True, exist_ok=True)
    score = scorer(export.write(mix, args.out, NAME))
    golden.write(score, HERE, args.tests / "golden.jsonl")
    # A second, untrained file of 16 buckets: the tests show with it that the score comes from the file.
    export.write(network.Mix([network.Head(1, 2, seed=1, buckets=16)], [1.0]), args.tests / "other-model", "other")
    sys.path.insert(0, str(args.data))
    figures = card.measure(args.data, HERE, lambda prompt: score(*features.features([("user", prompt)])))
    card.write(args.out / "README.md", figures, rows, own)
    print(f"done in {time.time() - started:.0f} s: {args.out}")


if __name__ == "__main__":
    main()

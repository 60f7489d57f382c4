#!/usr/bin/env python3
"""Measures a written network: evaluate.py --data DIR [--model FOLDER] [--json FILE]. See README.md for the figures' meaning.

DIR is the folder of the routing data. Every figure stands with its 95 % bootstrap interval (percentiles of resampled
prompts). Prompts are scored one a run, as the gateway does it.
"""
import argparse
import json
import pathlib

import numpy as np
import onnxruntime

import dataset
import features
import reading

HERE = pathlib.Path(__file__).resolve().parent
SETS = ("mmlu", "gsm8k", "mtbench")


class Scorer:
    """Scores by a folder's model.onnx, tokenizer.json and declaration.json, on one thread."""

    def __init__(self, folder, model="model.onnx"):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session, self.linear = (onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
                                     for path in (folder / model, folder / "linear" / "model.onnx"))
        self.reader = reading.Reader(folder / "tokenizer.json")

    def __call__(self, parts, tools=0, images=0):
        """(difficulty, [p_weak, p_strong, p_mean], embedding)"""
        ids, types = self.reader.read(parts)
        buckets, weights, surface = features.features(parts, tools, images)
        linear = self.linear.run(["p_weak"], {"ids": buckets.astype(np.int64), "weights": weights[None], "surface": surface[None]})[0]
        feed = {"input_ids": ids[None], "attention_mask": np.ones((1, len(ids)), np.int64), "token_type_ids": types[None],
                "surface": surface[None], "linear": linear}
        difficulty, probabilities, embedding = self.session.run(["difficulty", "probabilities", "embedding"], feed)
        return float(difficulty[0, 0]), probabilities[0], embedding[0]

    def many(self, prompts):
        """Arrays of difficulty and p_weak for prompts of one user turn."""
        got = [self([("user", prompt)]) for prompt in prompts]
        return np.array([g[0] for g in got]), np.array([g[1][0] for g in got])


def gain_curve(score, weak, strong):
    """Share of prompts sent to the strong model and mean quality, at the eleven decile thresholds."""
    marks = np.quantile(score, np.arange(11) / 10)
    sent = [score >= mark for mark in marks[:-1]] + [score > marks[-1]]
    points = sorted((s.mean(), np.where(s, strong, weak).mean()) for s in sent)
    return np.array(points).T


def apgr(score, weak, strong):
    share, quality = gain_curve(score, weak, strong)
    under = np.trapezoid(quality, share) / (share[-1] - share[0])
    return (under - weak.mean()) / (strong.mean() - weak.mean())


def cpt(score, weak, strong, recovered=.5):
    share, quality = gain_curve(score, weak, strong)
    return 100 * np.interp(weak.mean() + recovered * (strong.mean() - weak.mean()), quality, share)


def auc(score, won):
    """Chance that a won prompt scores above a lost one, ties counted half."""
    if won.all() or not won.any():
        return float("nan")
    order = np.sort(score[~won])
    below, upto = np.searchsorted(order, score[won], "left"), np.searchsorted(order, score[won], "right")
    return float((below + upto).mean() / 2 / len(order))


def auc_within(score, won, source):
    """AUC inside each source that has at least five of either, weighted by rows."""
    parts = [(auc(score[source == s], won[source == s]), (source == s).sum()) for s in np.unique(source)
             if min(won[source == s].sum(), (~won[source == s]).sum()) >= 5]
    return float(np.average([p[0] for p in parts], weights=[p[1] for p in parts]))


def ece(probability, outcome, bins=15):
    which = np.minimum((probability * bins).astype(int), bins - 1)
    gaps = np.bincount(which, weights=probability - outcome, minlength=bins)
    return float(np.abs(gaps).sum() / len(outcome))


def ordered(difficulty, level):
    """Share of pairs of different level that are ordered rightly."""
    low, high = np.where(level[:, None] < level[None])
    return float((difficulty[low] < difficulty[high]).mean())


def spread(measure, size, draws=400, seed=0):
    rng = np.random.default_rng(seed)
    return [float(x) for x in np.nanpercentile([measure(rng.integers(0, size, size)) for _ in range(draws)], [2.5, 97.5])]


def routing(scorer, data):
    figures = {}
    for name in SETS:
        rows = [r for r in dataset.lines(data / f"eval_routellm_{name}.jsonl.gz") if not r["contaminated"]]
        weak, strong = (np.array([np.mean(r[side]) for r in rows], float) for side in ("weak", "strong"))
        difficulty, _ = scorer.many([r["prompt"] for r in rows])
        figures[name] = {"n": len(rows), "mean": float(difficulty.mean()), "apgr": float(apgr(difficulty, weak, strong)),
                         "apgr_95": spread(lambda i: apgr(difficulty[i], weak[i], strong[i]), len(rows)),
                         "cpt50": float(cpt(difficulty, weak, strong)),
                         "cpt50_95": spread(lambda i: cpt(difficulty[i], weak[i], strong[i]), len(rows)),
                         "cpt80": float(cpt(difficulty, weak, strong, .8))}
    return figures


def development(scorer, data):
    rows = [r for r in dataset.lines(data / "train_permissive.jsonl.gz") if r["split"] == "dev" and r["weak_score"] is not None]
    difficulty, p_weak = scorer.many([r["prompt"] for r in rows])
    outcome, source = np.array([r["weak_score"] for r in rows]), np.array([r["source"] for r in rows])
    figures = {"n": len(rows)}
    for name, p in (("p_weak", p_weak), ("1 - difficulty", 1 - difficulty)):
        figures[name] = {"auc": auc(p, outcome >= .5), "auc_95": spread(lambda i: auc(p[i], outcome[i] >= .5), len(rows)),
                         "within": auc_within(p, outcome >= .5, source),
                         "within_95": spread(lambda i: auc_within(p[i], outcome[i] >= .5, source[i]), len(rows)),
                         "ece": ece(p, outcome), "ece_95": spread(lambda i: ece(p[i], outcome[i]), len(rows))}
    figures["sources"] = {s: [int((source == s).sum()), float(outcome[source == s].mean()), float(p_weak[source == s].mean())]
                          for s in np.unique(source)}
    return figures


def own(scorer, data):
    figures = {}
    for name, path in (("ordering", data / "ordering.jsonl"), ("heldout_own", HERE / "heldout_own.jsonl")):
        rows = dataset.lines(path)
        difficulty, _ = scorer.many([r["prompt"] for r in rows])
        level = np.array([r["level"] for r in rows])
        figures[name] = {"pairs": ordered(difficulty, level), "levels": [float(difficulty[level == k].mean()) for k in np.unique(level)],
                         "rows": [[round(float(d), 3), r["level"], r["lang"], r["prompt"]] for d, r in zip(difficulty, rows)]}
    rows = dataset.lines(HERE / "languages_own.jsonl")
    languages = [r["lang"] for r in rows if r["group"] == 0]
    difficulty = scorer.many([r["prompt"] for r in rows])[0].reshape(-1, len(languages))
    gaps = np.abs(difficulty[:, 1:] - difficulty[:, :1])
    figures["languages"] = {"gap": float(gaps.mean()), "gap_95": spread(lambda i: gaps[i].mean(), len(gaps)),
                            "mean": dict(zip(languages, map(float, difficulty.mean(0)))),
                            "pairs": ordered(difficulty.ravel(), np.array([r["level"] for r in rows]))}
    figures["hi"] = scorer([("user", "hi")])[0]
    return figures


def measure(folder, data, model="model.onnx"):
    scorer = Scorer(folder, model)
    return {"routing": routing(scorer, data), "dev": development(scorer, data), "own": own(scorer, data)}


def show(figures):
    for name, f in figures["routing"].items():
        print(f"{name:8} n={f['n']:5}  APGR {f['apgr']:.3f} [{f['apgr_95'][0]:.3f}, {f['apgr_95'][1]:.3f}]  CPT(50 %) {f['cpt50']:.1f} "
              f"[{f['cpt50_95'][0]:.1f}, {f['cpt50_95'][1]:.1f}]  CPT(80 %) {f['cpt80']:.1f}")
    for name in ("p_weak", "1 - difficulty"):
        f = figures["dev"][name]
        print(f"dev, {name}: AUC {f['auc']:.3f} [{f['auc_95'][0]:.3f}, {f['auc_95'][1]:.3f}]  within source {f['within']:.3f} "
              f"[{f['within_95'][0]:.3f}, {f['within_95'][1]:.3f}]  ECE {f['ece']:.3f}")
    o = figures["own"]
    print(f"ordering {o['ordering']['pairs']:.3f}, own held-out {o['heldout_own']['pairs']:.3f} {np.round(o['heldout_own']['levels'], 2)}, "
          f"languages: gap {o['languages']['gap']:.3f}, pairs {o['languages']['pairs']:.3f}, hi {o['hi']:.3f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, type=pathlib.Path, help="folder of the routing data")
    parser.add_argument("--model", type=pathlib.Path, default=HERE.parent.parent / "config" / "classifier")
    parser.add_argument("--json", type=pathlib.Path)
    args = parser.parse_args()
    figures = measure(args.model, args.data)
    show(figures)
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

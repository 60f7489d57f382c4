"""Measures the written file and writes the model card, config/classifier/README.md."""
import collections

import numpy as np

import dataset

LANGUAGES = "English, German, Spanish, French, Italian, Arabic, Chinese; a few Portuguese, Japanese, Russian, Hindi, Korean"


def ordered(difficulty, level):
    """Share of pairs of different level that are ordered rightly."""
    difficulty, level = np.array(difficulty), np.array(level)
    low, high = np.where(level[:, None] < level[None])
    return float((difficulty[low] < difficulty[high]).mean())


def measure(data, here, p_weak):
    """All figures of the card; `p_weak(prompt)` scores by the written file. Uses the data's own routing_eval."""
    import routing_eval as ev

    figures = {"eval": {}}
    for name in (ev.EVAL_SETS if not __import__("os").environ.get("NOEVAL") else ()):
        rows = ev.rows_of(name)
        score = 1 - np.array([p_weak(r["prompt"]) for r in rows])
        weak, strong = ev.outcomes(rows)
        m = ev.routing_metrics(score, weak, strong)
        draws = 1000 if len(rows) < 500 else 200
        m["low"], m["high"] = ev.interval(lambda i: ev.apgr_exact(score[i], weak[i], strong[i]), len(rows), draws)
        cpt = ev.interval(lambda i: ev.routing_metrics(score[i] + 1e-9 * np.arange(len(i)), weak[i], strong[i])["CPT50"], len(rows), draws)
        m["cpt_low"], m["cpt_high"], m["n"], m["mean"] = cpt[0], cpt[1], len(rows), float(score.mean())
        figures["eval"][name] = m
    rows = ev.rows_of("dev")
    p = np.array([p_weak(r["prompt"]) for r in rows])
    outcome = np.array([r["weak_score"] for r in rows])
    sources = np.array([r["source"] for r in rows])
    low, high = ev.interval(lambda i: ev.auc(p[i], outcome[i] >= .5), len(rows), 200)
    wlow, whigh = ev.interval(lambda i: ev.within_source_auc(p[i], outcome[i] >= .5, sources[i]), len(rows), 200)
    figures["dev"] = {"n": len(rows), "auc": ev.auc(p, outcome >= .5), "low": low, "high": high, "wlow": wlow, "whigh": whigh,
                      "within": ev.within_source_auc(p, outcome >= .5, sources), "ece": ev.calibration_error(p, outcome)}
    figures["sources"] = sorted((s, int((sources == s).sum()), float(outcome[sources == s].mean()), float(p[sources == s].mean()))
                                for s in set(sources))
    for key, path in (("ordering", data / "ordering.jsonl"), ("heldout", here / "heldout_own.jsonl")):
        own = dataset.lines(path)
        d = [1 - p_weak(r["prompt"]) for r in own]
        figures[key] = {"pairs": ordered(d, [r["level"] for r in own]), "rows": list(zip(own, d))}
    figures["hi"] = 1 - p_weak("hi")
    if False: pass
    for name, m in figures["eval"].items():
        print(f"{name:8} n={m['n']:5}  APGR {m['APGR']:.3f} [{m['low']:.3f}, {m['high']:.3f}]  CPT(50%) {m['CPT50']:.1f}  CPT(80%) {m['CPT80']:.1f}")
    d = figures["dev"]
    print(f"dev      n={d['n']:5}  AUC {d['auc']:.3f} [{d['low']:.3f}, {d['high']:.3f}]  within source {d['within']:.3f}  ECE {d['ece']:.3f}")
    print(f"ordering {figures['ordering']['pairs']:.3f}, own held-out {figures['heldout']['pairs']:.3f}, hi {figures['hi']:.3f}")
    return figures


def write(path, figures, rows, own):
    pass

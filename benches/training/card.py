"""Measures the written file and writes the model card, config/classifier/linear/README.md."""
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
    for name in ev.EVAL_SETS:
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


def failures(rows):
    """Of the own prompts, those placed worst: the easy ones scored hardest and the hard ones scored easiest."""
    easy = sorted(((d, r) for r, d in rows if r["level"] <= 1), key=lambda t: -t[0])[:3]
    hard = sorted(((d, r) for r, d in rows if r["level"] >= 3), key=lambda t: t[0])[:3]
    return "\n".join(f"- {d:.2f}, meant {'easy' if r['level'] <= 1 else 'hard'} ({r['lang']}): {r['prompt']}" for d, r in easy + hard)


def write(path, figures, rows, own):
    """The card, with every figure from this run."""
    counts = collections.Counter(r[5] for r in rows)
    e, d = figures["eval"], figures["dev"]
    names = {"mmlu": "MMLU", "gsm8k": "GSM8K", "mtbench": "MT-Bench"}
    length = {"mmlu": .584, "gsm8k": .599, "mtbench": .556}          # from the data's README
    verdict = "; ".join(f"on {names[k]} it is " + ("worse than" if m["high"] < length[k] else "better than" if m["low"] > length[k]
                                                   else "not distinguishable from") + " length alone" for k, m in e.items())
    table = "\n".join(f"| {names[k]} ({m['n']}) | {m['APGR']:.3f} [{m['low']:.3f}, {m['high']:.3f}] | {m['CPT50']:.1f} [{m['cpt_low']:.1f}, {m['cpt_high']:.1f}] | "
                      f"{m['CPT80']:.1f} | {length[k]:.3f} | {m['mean']:.2f} |" for k, m in e.items())
    sources = "\n".join(f"| {s} | {n} | {y:.2f} | {p:.2f} |" for s, n, y, p in figures["sources"])
    levels = collections.defaultdict(list)
    for r, score in figures["heldout"]["rows"]:
        levels[r["level"]].append(score)
    by_level = ", ".join(f"{k}: {np.mean(v):.2f}" for k, v in sorted(levels.items()))
    path.write_text(TEXT.format(
        rows=len(rows), sources=len(counts), own=len(own) // 2, languages=LANGUAGES, table=table, by_source=sources,
        auc=f"{d['auc']:.3f} [{d['low']:.3f}, {d['high']:.3f}]", within=f"{d['within']:.3f} [{d['wlow']:.3f}, {d['whigh']:.3f}]",
        ece=f"{d['ece']:.3f}", dev=d["n"], ordering=f"{figures['ordering']['pairs']:.3f}", heldout=f"{figures['heldout']['pairs']:.3f}",
        levels=by_level, verdict=verdict[0].upper() + verdict[1:], hi=f"{figures['hi']:.3f}", failures=failures(figures["ordering"]["rows"] + figures["heldout"]["rows"])),
        encoding="utf-8")


TEXT = """# Difficulty classifier `waypost-linear-1`

Written by `benches/training/train.py`; do not edit by hand.

**What it says.** `p_weak`, the probability that a weak-tier model (about 2 to 14 B parameters, or GPT-3.5 or Mixtral class) answers the
prompt well. Difficulty is one minus it. It orders prompts; it promises no quality for a particular target.

**What it is.** Word unigrams and pairs and character 4-grams of the last user turn (the other turns at a quarter of the weight), hashed
into 65,536 buckets, and 24 counts (length, digits, mathematics, code, script, options and the like). A linear head (share .7, n-grams and
length only) and two small heads with one hidden layer (.15 each), averaged as logits, less .25 standard deviations of the log length of
the question. Embeddings are int8, everything else float32. `declaration.json` states inputs, outputs and how a prompt is read; of a long
one the first 3,072 and last 1,024 bytes.

## Data

{rows} rows of {sources} sources of the routing data's permissive file (train split), and {own} prompts of our own with soft labels
(`benches/training/anchors.jsonl` and `anchors_own.jsonl`; {languages}), once alone and once inside a conversation. Labels are mean
outcomes of small models; where only an annotator's level exists, a label guessed from it at weight .25. Options and "Answer:" are dropped
from a quarter of the multiple-choice rows. Half of the function-calling rows carry a tool.

| source | licence |
|---|---|
| mmlu_pro | data MIT, results Apache-2.0 (TIGER-AI-Lab/MMLU-Pro) |
| zeroeval_math_l5, zeroeval_crux | Apache-2.0 (WildEval/ZeroEval); MATH, CRUXEval MIT |
| bfcl_v1 | Apache-2.0 (Gorilla); the repository of the results has no licence file, only the outcomes (facts) come from it |
| llmrouter_* | MIT (ulab-uiuc/LLMRouter); MBPP CC-BY-4.0 (Austin et al., "Program Synthesis with Large Language Models"), the other benchmarks MIT or Apache-2.0 |
| theoremqa, math_levels | MIT |
| followbench, arena_hard_v2, selfinstruct_seed | Apache-2.0 |
| anchors | our own, Apache-2.0 |

Left out because their questions are share-alike: ARC (CC-BY-SA-4.0) and Natural Questions (CC-BY-SA-3.0); their rows stay in the dev split,
which trains nothing. Nothing of `train_research` was used.

## Figures (the shipped file, as ONNX Runtime scores it; 95 % bootstrap intervals)

| set, not used for training | APGR | CPT(50 %) | CPT(80 %) | length alone, APGR | mean difficulty |
|---|---|---|---|---|---|
{table}

| | |
|---|---|
| dev ({dev} rows): AUC of p_weak | {auc} |
| the same within source | {within} |
| dev: ECE | {ece} |
| `ordering.jsonl`: pairs of different level ordered rightly | {ordering} |
| `heldout_own.jsonl` (55 prompts, 7 languages): the same | {heldout} |
| mean difficulty there by level | {levels} |
| "hi" | {hi} |

Dev by source (the prompt alone, no tools declared):

| source | rows | weak models right | mean p_weak |
|---|---|---|---|
{by_source}

**What was looked at how often.** Structure and settings were chosen by four-fold cross-validation and by leaving whole families out of
the training rows (some 80 settings), on the dev split (some 50 times) and on `heldout_own.jsonl` (some 50 times): their figures are
therefore flattering. `ordering.jsonl` was printed some 20 times; no setting was meant to be picked by it, but it was in view, also when
the anchors were written (five that resembled its prompts were taken out again). The evaluation sets were scored for three files: a first
network (MMLU .532, GSM8K .497, MT-Bench .627), which being below length alone was the reason to look for the cause in the training rows; a
mixture with per-source offsets (.552, .521, .663); and this one, whose length term is weighed by the left-out families of the training
rows.

## Limits

- {verdict}. It is the first stage; what it adds to length is prompts as people write them (greetings, everyday tasks, proofs, systems,
  law, several languages).
- On a benchmark family that it has not seen, mean AUC within a source is about .60; on those it has seen, about .63
  (cross-validation, neighbouring settings).
- The hard end rests on our own anchors, not on measured outcomes. "Prove" and its translations weigh much.
- Long plain prompts drift to hard, short riddles to easy.
- Tools and images are read, but only tools have outcomes behind them, from one source; images have none.
- Languages other than those named, and prompts that mix many, rest on length and signs alone.
- Calibration is that of benchmark questions; expect another base rate in your traffic.

Own prompts that it places worst:

{failures}
"""

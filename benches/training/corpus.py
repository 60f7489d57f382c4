"""What the network learns from: the rows of data/rows.jsonl.gz and our own anchors, as conversations with labels."""
import pathlib
import random

import numpy as np

import dataset
import features

HERE = pathlib.Path(__file__).resolve().parent
ANCHORS = ("anchors", "anchors_own", "anchors_parallel")
BALANCE = 0.5                      # where sources are balanced, one weighs by its rows to the power 1 - BALANCE
REPLIES = ["Sure.", "Here you are.", "Done, see above.", "OK."]


class Sample:
    """A conversation, the labels (weak, strong, mean of all models), a weight for each, and where it is from."""

    def __init__(self, parts, tools, images, labels, weights, source):
        self.parts, self.tools, self.images = parts, tools, images
        self.labels, self.weights, self.source = labels, weights, source


def rows(seed=0, file="rows"):
    """The training rows: options dropped from a quarter of the multiple-choice ones, tools at half of the tool rows."""
    rng = random.Random(seed)
    result = []
    for row in dataset.lines(HERE / "data" / f"{file}.jsonl.gz"):
        if row["split"] != "train":
            continue
        if row["weak"] is not None:
            labels, weights = (row["weak"], row["strong"] or 0.0, row["mean"]), (1.0, float(row["strong"] is not None), 1.0)
        else:
            labels, weights = (row["pseudo_weak"], 0.0, 0.0), (dataset.PSEUDO_WEIGHT, 0.0, 0.0)
        prompt, plain = row["prompt"], dataset.without_options(row["prompt"])
        if plain and rng.random() < 0.25:
            prompt = plain
        tools = 1 if row["source"] == "bfcl_v1" and rng.random() < 0.5 else 0
        parts = [("user", prompt)]
        if rng.random() < 0.15:
            parts.insert(0, ("system", rng.choice(dataset.SYSTEM)))
        result.append(Sample(parts, tools, 0, labels, weights, row["source"]))
    return result


def balance(samples):
    """A factor for each sample, so that a large source does not drown the small ones; 1 for anchors, 1 in the mean of the rest."""
    names = np.array([s.source for s in samples])
    factor = np.ones(len(samples))
    rows = names != "anchors"
    for name in set(names[rows]):
        factor[names == name] = float((names == name).sum()) ** -BALANCE
    factor[rows] /= factor[rows].mean()
    return factor


def labels(row):
    """The three labels of an anchor; older anchors have no label for strong models, or none for the mean."""
    weak = row["pw"]
    strong = row.get("ps", weak if weak > .95 else min(.98, weak + .42 * (1 - weak)))
    return weak, strong, row.get("pm", (weak + strong) / 2)


def anchors(weight=1.0):
    """Our own prompts, and half of them once more inside a conversation, whose label is that of the last turn."""
    rng = random.Random(2)
    own = [row for name in ANCHORS for row in dataset.lines(HERE / f"{name}.jsonl")]
    result = [Sample([("user", row["prompt"])], 0, 0, labels(row), (weight,) * 3, "anchors") for row in own]
    for row in own:
        if rng.random() < 0.5:
            continue
        parts = [("user", rng.choice(own)["prompt"]), ("assistant", rng.choice(REPLIES)), ("user", row["prompt"])]
        if rng.random() < 0.5:
            parts.insert(0, ("system", rng.choice(dataset.SYSTEM)))
        tools, images = rng.choice([0, 0, 1, 3]), rng.choice([0, 0, 0, 1])
        result.append(Sample(parts, tools, images, labels(row), (weight / 2,) * 3, "anchors"))
    return result


def texts():
    """Every text that the vocabulary is counted over."""
    return [row["prompt"] for row in dataset.lines(HERE / "data" / "rows.jsonl.gz") if row["split"] == "train"] + [
        row["prompt"] for name in ANCHORS for row in dataset.lines(HERE / f"{name}.jsonl")]


def surface(sample):
    return features.features(sample.parts, sample.tools, sample.images)[2]

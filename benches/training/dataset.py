"""Rows for training: which are left out and why, weights, and the augmentation of exam prompts."""
import gzip
import json
import pathlib
import random
import re

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
# Share-alike questions, with their licences: neither the linear head nor the network's layers learn from them (`chance.py` does).
SHARE_ALIKE = {"llmrouter_arc_challenge": "CC-BY-SA-4.0", "llmrouter_natural_qa": "CC-BY-SA-3.0"}
PSEUDO_WEIGHT = 0.25               # levels are the annotators' guess, never measured
ANCHOR_WEIGHT = 8.0
OPTION = re.compile(r"^[A-J][.)] ")
# What stands around a prompt in real traffic and says nothing about its difficulty.
SYSTEM = ["You are a helpful assistant.", "You are a friendly support agent. Answer briefly.",
          "Du bist ein hilfreicher Assistent.", "Tu es un assistant utile.", "Eres un asistente útil.",
          "You are an expert. Think step by step and answer in the user's language.",
          "Sei un assistente utile.", "أنت مساعد مفيد.", "你是一个乐于助人的助手。", "Today is Monday. Use Markdown."]


def lines(path):
    opener = gzip.open if str(path).endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def without_options(prompt):
    """A multiple-choice prompt as a person would ask it, or None if it is none."""
    kept = [line for line in prompt.split("\n") if not OPTION.match(line)]
    if len(kept) > prompt.count("\n") - 1:
        return None
    if kept and kept[-1].strip() == "Answer:":
        kept.pop()
    return "\n".join(kept).strip() or None


def rows(data, split):
    """[(parts, tools, images, target, weight, source)] of the permissive file; dev rows only with outcomes."""
    rng = random.Random(1)
    result = []
    for row in lines(pathlib.Path(data) / "train_permissive.jsonl.gz"):
        if row["split"] != split or (split == "train" and row["source"] in SHARE_ALIKE):
            continue
        measured = row["weak_score"] is not None
        if not measured and (split == "dev" or row["pseudo_weak"] is None):
            continue
        target = row["weak_score"] if measured else row["pseudo_weak"]
        prompt = row["prompt"]
        # These were asked with tools; half without, so that the words alone must do too.
        tools = 1 if row["source"] == "bfcl_v1" and split == "train" and rng.random() < 0.5 else 0
        if split == "train":
            plain = without_options(prompt)
            if plain and rng.random() < 0.25:
                prompt = plain
        parts = [("user", prompt)]
        if split == "train" and rng.random() < 0.15:
            parts.insert(0, ("system", rng.choice(SYSTEM)))
        result.append((parts, tools, 0, target, 1.0 if measured else PSEUDO_WEIGHT, row["source"]))
    return result


def anchors():
    """Our own prompts with soft labels, plus copies inside a conversation, whose label is that of the last turn."""
    rng = random.Random(2)
    own = lines(HERE / "anchors.jsonl") + lines(HERE / "anchors_own.jsonl")
    result = []
    for row in own:
        result.append(([("user", row["prompt"])], 0, 0, row["pw"], ANCHOR_WEIGHT, "anchors"))
    for row in own:
        before = rng.choice(own)
        parts = [("user", before["prompt"]), ("assistant", rng.choice(["Sure.", "Here you are.", "Done, see above.", "OK."])),
                 ("user", row["prompt"])]
        if rng.random() < 0.5:
            parts.insert(0, ("system", rng.choice(SYSTEM)))
        tools, images = rng.choice([0, 0, 1, 3]), rng.choice([0, 0, 0, 1])
        result.append((parts, tools, images, row["pw"], ANCHOR_WEIGHT / 4, "anchors"))
    return result


def balanced(weight, source):
    """Weights under which a source counts by the square root of its rows; the sum of all sources stays."""
    weight, source = weight.copy(), np.asarray(source)
    rows = source != "anchors"
    before = weight[rows].sum()
    for name in set(source[rows]):
        weight[source == name] /= np.sqrt((source == name).sum())
    weight[rows] *= before / weight[rows].sum()
    return weight

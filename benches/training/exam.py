#!/usr/bin/env python3
"""How much the network and how much the length should count in the difficulty of exam questions: exam.py. Prints the ratio.

What a network learns from one exam does not carry over to the next as its length does. So all multiple-choice sources are left out
of the training of a head (on the layers as they were, which have seen none of them), and a logistic regression with an offset for
each of these sources says what is left of the head's logit and of the length. Sources weigh by the root of their rows. What counts is
the ratio: the scale of an exam's ease in `MIX` keeps its spread beside other prompts, and `EXAM` makes its mean right over the exam rows.
"""
import pathlib
import tempfile

import numpy as np
import torch

import chance
import corpus
import dataset
import encoder
import export_network
import reading
import train_network
import vocabulary

FAR_SHORT, FAR_LONG = -2, 2.5      # standard deviations at which the length is cut
SEEDS = (0, 1, 2, 3)
OTHER_FORM = {"llmrouter_mmlu"}    # an exam whose options are not on lines of their own


def embeddings(samples):
    """Means of the last layer before any training."""
    source = encoder.source_folder() / "tokenizer.json"
    keep = vocabulary.choose(source, corpus.texts())
    with tempfile.TemporaryDirectory() as folder:
        vocabulary.write(source, keep, pathlib.Path(folder) / "tokenizer.json")
        reader = reading.Reader(pathlib.Path(folder) / "tokenizer.json")
    net = encoder.load(encoder.Network(len(keep), 0, 1), keep).eval()
    read = [reader.read(s.parts) for s in samples]
    result = np.zeros((len(read), encoder.WIDTH), np.float32)
    order = sorted(range(len(read)), key=lambda i: len(read[i][0]))
    with torch.no_grad():
        for first in range(0, len(order), 32):
            rows = order[first:first + 32]
            result[rows] = net.pool(*train_network.together(read, rows)).numpy()
    return result


def weigh(logit, length, outcome, source, weight, steps=4000):
    """Coefficients of a logistic regression with an offset for each source."""
    names, which = np.unique(source, return_inverse=True)
    given = torch.tensor(np.stack([logit, -length], 1), dtype=torch.float64)
    share, offset = torch.zeros(2, dtype=torch.float64, requires_grad=True), torch.zeros(len(names), dtype=torch.float64, requires_grad=True)
    outcome, weight, which = torch.tensor(outcome), torch.tensor(weight / weight.sum()), torch.tensor(which)
    optimiser = torch.optim.LBFGS([share, offset], max_iter=steps, line_search_fn="strong_wolfe")

    def loss():
        optimiser.zero_grad()
        value = (torch.nn.functional.binary_cross_entropy_with_logits(given @ share + offset[which], outcome, reduction="none") * weight).sum()
        value.backward()
        return value
    optimiser.step(loss)
    return share.detach().numpy()


def main():
    whole = [corpus.Sample([("user", row["prompt"])], 0, 0, (row["weak"],) * 3, (1.0,) * 3, row["source"])
             for row in dataset.lines(corpus.HERE / "data" / "rows.jsonl.gz")
             if row["weak"] is not None and row["split"] == "train"]
    exam = np.stack([corpus.surface(s) for s in whole])[:, export_network.OPTIONS_COLUMN] > export_network.EXAM_OPTIONS
    source = np.array([s.source for s in whole])
    shares = {name: exam[source == name].mean() for name in np.unique(source)}
    out = {name for name, share in shares.items() if share > .5} | OTHER_FORM
    print("left out:", ", ".join(sorted(out)))
    taught = chance.samples(share_alike=False)
    samples = taught + whole
    means, surface = embeddings(samples), np.stack([corpus.surface(s) for s in samples])
    at, held = len(taught), np.array([s.source in out for s in whole])
    kept = [i for i, s in enumerate(taught) if s.source not in out]
    heads = [chance.fit(means[kept], surface[kept], [taught[i] for i in kept], seed) for seed in SEEDS]
    logit = np.mean([chance.logit(head, means[at:], surface[at:]) for head in heads], 0)
    rows = corpus.rows()
    of_rows = np.stack([corpus.surface(s) for s in rows])[:, export_network.LENGTH_COLUMN]
    length = np.clip((surface[at:, export_network.LENGTH_COLUMN] - of_rows.mean()) / of_rows.std(), FAR_SHORT, FAR_LONG)
    weak = np.array([s.labels[0] for s in whole])
    weight = np.array([float((source == name).sum()) ** -corpus.BALANCE for name in source])
    net, long = weigh(logit[held], length[held], weak[held], source[held], weight[held])
    print(f"of the logit {net:.3f}, of each standard deviation of length {long:.3f}")


if __name__ == "__main__":
    main()

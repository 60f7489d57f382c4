#!/usr/bin/env python3
"""CPU of one score in the gateway's own code against ONNX Runtime called from Python: same file, same thread count.

    cost.py SCORE_ALONE [--tokens 128] [--rounds 5]

SCORE_ALONE is the built example (benches/gateway/score_alone.rs). It is timed for the whole score: reading, both
stages, tokens. Python is timed for the call of the network alone, on token ids made beforehand. In turn. Neither is
bound to a core: in a process that may use but one, ONNX Runtime was seen to take a quarter more for the same run.
The library is ORT_DYLIB_PATH's in the gateway and the wheel's here, so install the wheel of the same version.
"""

import argparse
import gzip
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

os.environ["OMP_NUM_THREADS"] = "1"
import numpy as np
import onnxruntime as ort
from tokenizers import Tokenizer

HERE = pathlib.Path(__file__).resolve().parent
CLASSIFIER = HERE / "../../config/classifier"


def prompts(tokenizer, tokens, count):
    """Texts from the training rows, cut to this many tokens."""
    found = []
    with gzip.open(HERE / "data/rows.jsonl.gz", "rt") as rows:
        for row in rows:
            text = " ".join(json.loads(row)["prompt"].split())
            encoding = tokenizer.encode(text, add_special_tokens=False)
            if len(encoding.ids) < tokens - 2:
                continue
            text = text[:encoding.offsets[tokens - 3][1]]
            if len(tokenizer.encode(text, add_special_tokens=False).ids) == tokens - 2:
                found.append(text)
            if len(found) == count:
                return found
    sys.exit(f"only {len(found)} rows are long enough")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("score_alone", type=pathlib.Path)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()

    tokenizer = Tokenizer.from_file(str(CLASSIFIER / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    texts = prompts(tokenizer, options.tokens, 200)
    start, separator = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
    settings = ort.SessionOptions()
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1
    session = ort.InferenceSession(str(CLASSIFIER / "model.onnx"), settings, providers=["CPUExecutionProvider"])
    names = [given.name for given in session.get_inputs()]
    feeds = []
    for text in texts:
        ids = np.array([[start, *tokenizer.encode(text, add_special_tokens=False).ids, separator]], np.int64)
        values = [ids, np.ones_like(ids), np.zeros_like(ids), np.zeros((1, 24), np.float32), np.full((1, 1), 0.5, np.float32)]
        feeds.append(dict(zip(names, values)))

    def python():
        for feed in feeds[:100]:
            session.run(None, feed)
        before = time.thread_time_ns()
        for feed in feeds[100:]:
            session.run(None, feed)
        return (time.thread_time_ns() - before) / 100

    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(texts))
        file.flush()

        def gateway():
            run = subprocess.run([options.score_alone, "network", file.name], capture_output=True, text=True)
            if run.returncode:
                sys.exit(run.stderr)
            found = json.loads(run.stdout.removeprefix("RESULT "))
            return found["cpu_ns"] / found["prompts"]

        ratios = []
        for turn in range(options.rounds):
            if turn % 2:
                ours, theirs = gateway(), python()
            else:
                theirs, ours = python(), gateway()
            ratios.append(ours / theirs)
    print(f"{options.tokens} tokens, onnxruntime {ort.__version__}: a whole score in the gateway's code costs "
          f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f}) of the network's call from Python")


if __name__ == "__main__":
    main()

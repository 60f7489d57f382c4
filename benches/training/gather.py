#!/usr/bin/env python3
"""Takes from the routing data's permissive file what the training needs: gather.py DIR. Writes data/rows.jsonl.gz, and
beside it data/share_alike.jsonl.gz with the questions that keep their share-alike licence (ARC, Natural Questions).
"""
import gzip
import json
import pathlib
import sys

import dataset

DATA = pathlib.Path(__file__).resolve().parent / "data"


def write(path, rows):
    # No time and no name in the header: the same rows give the same bytes.
    with open(path, "wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
        for row in rows:
            packed.write((json.dumps(row, ensure_ascii=False) + "\n").encode("utf-8"))
    print(f"{path.name}: {len(rows)} rows, {path.stat().st_size / 1e6:.1f} MB")


def main():
    kept, alike = [], []
    for row in dataset.lines(pathlib.Path(sys.argv[1]) / "train_permissive.jsonl.gz"):
        if row["weak_score"] is None and row["pseudo_weak"] is None:
            continue
        outcomes = list((row["outcomes"] or {}).values())
        mean = round(sum(outcomes) / len(outcomes), 4) if outcomes else None
        (alike if row["source"] in dataset.SHARE_ALIKE else kept).append(
            {"id": row["id"], "split": row["split"], "source": row["source"], "licence": dataset.SHARE_ALIKE.get(row["source"], row["licence"]),
             "prompt": row["prompt"], "weak": row["weak_score"], "strong": row["strong_score"], "mean": mean, "pseudo_weak": row["pseudo_weak"]})
    write(DATA / "rows.jsonl.gz", kept)
    write(DATA / "share_alike.jsonl.gz", alike)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Takes from the routing data's permissive file what the training needs: gather.py DIR. Writes data/rows.jsonl.gz.

Share-alike questions (ARC, Natural Questions) are left out, so that nothing of theirs is copied or trained on.
"""
import gzip
import json
import pathlib
import sys

import dataset

TARGET = pathlib.Path(__file__).resolve().parent / "data" / "rows.jsonl.gz"


def main():
    kept = []
    for row in dataset.lines(pathlib.Path(sys.argv[1]) / "train_permissive.jsonl.gz"):
        if row["source"] in dataset.SHARE_ALIKE or (row["weak_score"] is None and row["pseudo_weak"] is None):
            continue
        outcomes = list((row["outcomes"] or {}).values())
        mean = round(sum(outcomes) / len(outcomes), 4) if outcomes else None
        kept.append({"id": row["id"], "split": row["split"], "source": row["source"], "licence": row["licence"], "prompt": row["prompt"],
                     "weak": row["weak_score"], "strong": row["strong_score"], "mean": mean, "pseudo_weak": row["pseudo_weak"]})
    # No time and no name in the header: the same rows give the same bytes.
    with open(TARGET, "wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
        for row in kept:
            packed.write((json.dumps(row, ensure_ascii=False) + "\n").encode("utf-8"))
    print(f"{len(kept)} rows, {TARGET.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()

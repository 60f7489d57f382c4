"""Recorded traffic through a running gateway, judged by the official SDKs' types and by what the recordings say.

`tests/it/formats.rs` starts the gateway and the server that replays the recordings, and runs
`recorded.py answers|requests --gateway URL --replay URL --fixtures DIR [--only NAME] [--table FILE]`.
"""

import argparse
import pathlib
import sys

import answers
import asked
import matrix
from wire import Replay, Server


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("answers", "requests"))
    for name in ("--gateway", "--replay", "--fixtures"):
        parser.add_argument(name, required=True)
    parser.add_argument("--only", help="part of a recording's name")
    parser.add_argument("--table", help="where the table is written")
    told = parser.parse_args()
    gateway, replay = Server(told.gateway), Replay(told.replay)
    if told.what == "answers":
        results = matrix.Results(matrix.ANSWERS)
        answers.run(gateway, replay, told.fixtures, results, told.only)
        table = results.table("provider", ("chat", "responses", "messages"))
    else:
        results = matrix.Results(matrix.REQUESTS)
        asked.run(gateway, replay, told.fixtures, results, told.only)
        table = results.table("target", ("chat", "responses", "messages")) + "\n" + results.fields_table()
    results.print()
    if told.table:
        pathlib.Path(told.table).write_text(table)
    return 1 if results.failures or not results.checked else 0


if __name__ == "__main__":
    sys.exit(main())

"""The table of the demo, a line as each answer comes, and the summary after the last."""

import collections
import os
import shutil
import statistics
import sys
import time
import unicodedata

# Heading, width, and whether numbers line up on the right. `removed by` comes last: it is as long as it is.
COLUMNS = [
    ("#", 3, True), ("prompt", 34, False), ("lang", 4, False), ("class", 8, False), ("hard", 4, True),
    ("went to", 26, False), ("answer", 8, False), ("tokens", 9, True), ("cost USD", 10, True), ("cache", 6, False),
    ("ms", 6, True), ("why", 34, False), ("removed by", 0, False),
]
# What a narrow terminal goes without, first to last.
SPARE = ["lang", "why", "ms", "cost USD", "cache"]


def columns_for(terminal: int) -> list[tuple[int, bool]]:
    """The width of each column and whether it is shown, so that a little is left for `removed by`."""
    narrow = {"prompt": 20, "went to": 20} if terminal < 150 else {}
    widths = {heading: narrow.get(heading, w) for heading, w, _ in COLUMNS}
    shown = set(widths)
    for spare in SPARE:
        if sum(widths[heading] + 2 for heading in shown) + 12 > terminal:
            shown.discard(spare)
    return [(widths[heading], heading in shown) for heading, _, _ in COLUMNS]


def width(text: str) -> int:
    """Columns that a terminal gives to `text`."""
    total = 0
    for c in text:
        if unicodedata.combining(c) or unicodedata.category(c) in ("Mn", "Me", "Cf"):
            continue
        total += 2 if unicodedata.east_asian_width(c) in "WF" else 1
    return total


def cut(text: str, columns: int) -> str:
    """`text` on one line and in at most so many columns."""
    text = " ".join(text.split())
    if width(text) <= columns:
        return text
    kept = ""
    for c in text:
        if width(kept + c) > columns - 1:
            break
        kept += c
    return kept + "…"


def pad(text: str, columns: int, right: bool) -> str:
    gap = " " * max(0, columns - width(text))
    return gap + text if right else text + gap


def usd(nano: int, places: int = 7) -> str:
    return f"{nano / 1e9:.{places}f}"


class Report:
    def __init__(self, own: str, out=sys.stdout):
        self.own = own
        self.out = out
        self.rows: list[dict] = []
        self.planned = 0
        self.began = time.monotonic()
        self.terminal = out.isatty()
        self.colour = self.terminal and "NO_COLOR" not in os.environ

    def say(self, text: str = "") -> None:
        print(text, file=self.out, flush=True)

    def paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour and text else text

    def line(self, cells: list[str]) -> str:
        size = shutil.get_terminal_size((200, 24)).columns if self.terminal else 10_000
        parts = [
            pad(cut(cell, w) if w else cell, w, right)
            for cell, (_, _, right), (w, shown) in zip(cells, COLUMNS, columns_for(size))
            if shown
        ]
        return cut_keeping_spaces("  ".join(parts).rstrip(), size)

    def begin(self, planned: int) -> None:
        self.planned = planned
        self.began = time.monotonic()
        self.say(f"{planned} requests; `hard` is the gateway's difficulty from 0 to 1, `ms` its own time per request\n")
        self.say(self.paint(self.line([heading for heading, _, _ in COLUMNS]), "1"))

    def add(self, row: dict) -> None:
        self.rows.append(row)
        removed = collections.Counter(row["removed"].values())
        tokens = "" if row["input_tokens"] is None else f"{row['input_tokens']}+{row['output_tokens'] or 0}"
        if row["outcome"] == "ok":
            went, answer, colour = row["target"], row["answered_by"], "32" if self.is_own(row) else "36"
        else:
            went, answer = ("DENIED" if row["outcome"] == "denied" else f"ERROR {row['status']}"), "none"
            colour = "33" if row["outcome"] == "denied" else "31"
        why = row["reason"] or row["error_code"] or row["error"] or ""
        cells = [
            str(len(self.rows)),
            row["prompt"],
            row["lang"],
            row["data_class"],
            "" if row["difficulty"] is None else f"{row['difficulty']:.2f}",
            went,
            answer,
            tokens,
            usd(row["cost_nusd"]) if row["outcome"] == "ok" else "",
            row["cache"],
            "" if row["gateway_ms"] is None else f"{row['gateway_ms']:.2f}",
            (f"asked for {row['asked']}; " if row["asked"] != "auto" else "") + why,
            ", ".join(f"{rule} ({n})" for rule, n in removed.most_common()),
        ]
        self.say(self.paint(self.line(cells), colour))

    def is_own(self, row: dict) -> bool:
        return row["provider"] == self.own or row["target"].endswith("@" + self.own)

    def summary(self) -> None:
        if not self.rows:
            return
        answered = [r for r in self.rows if r["outcome"] == "ok"]
        denied = [r for r in self.rows if r["outcome"] == "denied"]
        errors = [r for r in self.rows if r["outcome"] == "error"]
        own = [r for r in answered if self.is_own(r)]
        self.say(f"\n{self.paint('Summary', '1')}   {len(self.rows)} requests in {time.monotonic() - self.began:.0f} s: "
                 f"{len(answered)} answered, {len(denied)} denied, {len(errors)} errors")
        if answered:
            self.say(f"  kept on the own model    {len(own)} of {len(answered)} answers ({100 * len(own) / len(answered):.0f} %)")
            self.by_target(answered)
            self.money(answered)
        self.count("  denied by rule", (rule for r in denied for rule in set(r["removed"].values()) or {r["error_code"]}))
        self.count("  candidates removed", (rule for r in self.rows for rule in r["removed"].values()))
        self.count("  cache", (r["cache"] for r in answered if r["cache"]))
        times = sorted(r["gateway_ms"] for r in self.rows if r["gateway_ms"] is not None)
        if times:
            self.say(f"  gateway's own time       median {statistics.median(times):.2f} ms, "
                     f"95th percentile {times[int(0.95 * (len(times) - 1))]:.2f} ms ({len(times)} requests)")
        self.samples(own, [r for r in answered if not self.is_own(r)], denied, errors)

    def by_target(self, answered: list[dict]) -> None:
        groups = collections.defaultdict(list)
        for row in answered:
            groups[(row["target"], row["answered_by"])].append(row)
        for (target, by), rows in sorted(groups.items(), key=lambda g: -len(g[1])):
            tokens = sum((r["input_tokens"] or 0) + (r["output_tokens"] or 0) for r in rows)
            self.say(f"    {pad(target, 38, False)} {len(rows):3} answers, {by:8}  {tokens:6} tokens  "
                     f"{usd(sum(r['cost_nusd'] for r in rows), 6)} USD")

    def money(self, answered: list[dict]) -> None:
        cost = sum(r["cost_nusd"] for r in answered)
        strongest = cost + sum(r["saving_nusd"] for r in answered)
        share = f", {100 * (strongest - cost) / strongest:.0f} % less" if strongest > 0 else ""
        self.say(f"  cost                     {usd(cost, 6)} USD; the strongest allowed target every time: {usd(strongest, 6)} USD{share}")
        if any(r["answered_by"] == "scripted" for r in answered):
            self.say("                           (scripted answers are counted at the list price of the model they stand in for;"
                     " no money was spent on them)")

    def count(self, title: str, names) -> None:
        counts = collections.Counter(name or "?" for name in names)
        text = ", ".join(f"{name} {n}" for name, n in counts.most_common()) or "none"
        self.say(f"{pad(title, 26, False)} {text}")

    def samples(self, own, paid, denied, errors) -> None:
        """A few answers in full, so that a reader can judge for himself."""
        self.say(f"\n{self.paint('Some of it in full', '1')}")
        picked = own[:2] + [r for r in own if r["data_class"] == "personal"][:1] + paid[:1] + paid[-1:] + denied[:1] + errors[:3]
        seen = set()
        for row in picked:
            if id(row) in seen:
                continue
            seen.add(id(row))
            kind = {"real": "a real answer", "scripted": "a SCRIPTED answer", None: f"status {row['status']}"}[row["answered_by"]]
            self.say(f"\n  {row['id']} {row['data_class']}, {row['target'] or 'no target'}: {kind}")
            self.say(f"    asked    {cut(row['prompt'], 150)}")
            body = row["answer"] if row["outcome"] == "ok" else f"{row['error_code']}: {row['error']}"
            for n, line in enumerate(body.strip().splitlines() or [""]):
                self.say(f"    {'answered' if n == 0 else '        '} {line}")
        self.say()


def cut_keeping_spaces(text: str, columns: int) -> str:
    """Ends `text` where the terminal does, without folding its padding."""
    if width(text) <= columns:
        return text
    kept = ""
    for c in text:
        if width(kept + c) > columns - 1:
            break
        kept += c
    return kept + "…"

"""What came out: failures for whoever runs the checks, and tables for docs/formats.md."""

import contextlib
import re
import traceback

# Tags of tests/fixtures/index.json and what they are called in the tables.
ANSWERS = {
    "text": "text",
    "sse": "stream",
    "toolcall": "tool call",
    "parallel": "parallel calls",
    "reasoning": "reasoning",
    "signature": "signatures",
    "structured": "structured",
    "n>1": "n > 1",
    "length": "cut off",
    "filter": "filter",
    "usage": "usage",
    "cached": "cached tokens",
    "rtokens": "reasoning tokens",
    "err": "refusal",
    "streamerr": "error in stream",
}
REQUESTS = {
    "text": "text",
    "system": "system",
    "tools": "tools",
    "toolresult": "tool results",
    "image": "images",
    "structured": "structured",
    "stopreq": "stop",
    "reasoning": "reasoning",
    "signature": "signatures back",
    "reqstream": "stream",
}


def tags_of(recording) -> set:
    tags = set(recording.tags)
    if recording.failed:
        return {"err"}
    if any(str(finish).lower() in ("length", "max_tokens") for finish in recording.finish):
        tags.add("length")
    return tags | {"text"}


class Results:
    def __init__(self, features: dict):
        self.features = features
        self.failures = []
        # (row, column, feature) → how often each outcome came.
        self.cells = {}
        # (client, field) → targets, by what became of the field.
        self.fields = {}
        self.checked = 0

    @contextlib.contextmanager
    def of(self, recording, client: str, row: str, tags: set | None = None):
        """Notes what becomes of one check: failed if it raises, else what the given list says then."""
        outcome = ["ok"]
        try:
            yield outcome
        except Exception as error:
            outcome[0] = "failed"
            told = str(error) if isinstance(error, AssertionError) else "".join(traceback.format_exception(error)[-4:])
            self.failures.append((recording.name, client, row, told))
        self.checked += 1
        for tag in tags if tags is not None else tags_of(recording):
            cell = self.cells.setdefault((row, client, tag), {})
            cell[outcome[0]] = cell.get(outcome[0], 0) + 1

    def field(self, client: str, name: str, outcome: str, target: str) -> None:
        """Notes that a field of a client's request was refused, or left out and named."""
        name = re.sub(r"\[\d+\]", "[]", name.strip())
        self.fields.setdefault((client, name), {}).setdefault(outcome, set()).add(target)

    def fields_table(self) -> str:
        lines = ["What some target was not told, in these recordings:", "", "| client | field | refused by name at | left out and named at |", "|---|---|---|---|"]
        for (client, name), outcomes in sorted(self.fields.items()):
            refused, dropped = outcomes.get("refused", set()), outcomes.get("dropped", set())
            lines.append(f"| {client} | `{name}` | {', '.join(sorted(refused))} | {', '.join(sorted(dropped - refused))} |")
        return "\n".join(lines) + "\n"

    def print(self) -> None:
        for name, client, row, told in self.failures:
            print(f"FAILED {name} for {client} ({row}): {told}")
        print(f"{self.checked} checks, {len(self.failures)} failures")

    def table(self, head: str, columns: tuple) -> str:
        """One line a provider and client, one column a feature."""
        used = [tag for tag in self.features if any(key[2] == tag for key in self.cells)]
        lines = [
            f"| {head} | client | " + " | ".join(self.features[tag] for tag in used) + " |",
            "|---|---|" + "---|" * len(used),
        ]
        for row in sorted({key[0] for key in self.cells}):
            for client in columns:
                cells = [shown(self.cells.get((row, client, tag))) for tag in used]
                if any(cells):
                    lines.append(f"| {row} | {client} | " + " | ".join(cells) + " |")
        return "\n".join(lines) + "\n"


def shown(cell: dict | None) -> str:
    """`✓ 3`: all of three; `✓ 2, – 1`: two, and one is refused by name; `○ 1`: a hint was dropped and named."""
    if not cell:
        return ""
    signs = {"ok": "✓", "dropped": "○", "refused": "–", "failed": "✗"}
    return ", ".join(f"{sign} {cell[name]}" for name, sign in signs.items() if name in cell)

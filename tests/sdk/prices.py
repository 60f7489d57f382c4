"""Compares what Waypost counts and charges for recorded answers with genai-prices.

    prices.py OURS EXCHANGES DOCUMENT TIME

OURS has one JSON object a line: name, provider, model, format, usage, cost_nusd. The table in DOCUMENT under the heading
"Where they disagree" names every disagreement; one that it does not name, or that it names and there is not, fails.
"""

import json
import re
import sys
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from genai_prices import calc_price
from genai_prices.data import providers

# Our provider: theirs, and their name of each format where it is not `default`.
PROVIDERS = {
    "anthropic": ("anthropic", {}),
    "azure": ("azure", {"chat": "chat", "responses": "responses"}),
    "deepseek": ("deepseek", {"chat": "chat"}),
    "gemini": ("google", {}),
    "groq": ("groq", {}),
    "mistral": ("mistral", {}),
    "openai": ("openai", {"chat": "chat", "completions": "chat", "responses": "responses", "embeddings": "embeddings"}),
    "openrouter": ("openrouter", {"chat": "chat"}),
    "vertex": ("google", {"messages": "anthropic"}),
    "xai": ("x-ai", {"chat": "chat", "responses": "responses"}),
}
# They know nothing of own servers, which speak as OpenAI does.
OWN = ("openai", {"chat": "chat"})

# Our field, theirs.
FIELDS = [
    ("input", "input_tokens"),
    ("cached", "cache_read_tokens"),
    ("cache_write", "cache_write_tokens"),
    ("cache_write_1h", "cache_write_1h_tokens"),
    ("output", "output_tokens"),
    ("reasoning", "output_reasoning_tokens"),
]

# Each of up to six components of ours is rounded up to the next nano-dollar; theirs are not rounded.
ROUNDING = 6


def answer(folder: Path, name: str) -> dict:
    """The recorded body; of a stream, what a client that keeps the last word on usage has at its end."""
    response = json.loads((folder / f"{name}.json").read_text())["response"]
    if "body_file" not in response:
        return response["body"]
    text = (folder / response["body_file"]).read_text()
    if not response["body_file"].endswith(".sse"):
        return json.loads(text)
    body: dict = {}
    for line in re.split(r"\r\n|\r|\n", text):
        if not line.startswith("data:") or line[5:].strip() in ("", "[DONE]"):
            continue
        event = json.loads(line[5:])
        part = event.get("response") or event.get("message") or event
        for member in ("usage", "usageMetadata"):
            if part.get(member):
                # Anthropic's last event corrects some of the first one's figures and leaves the others out.
                body[member] = {**body.get(member, {}), **part[member]}
        for member in ("model", "modelVersion"):
            if part.get(member):
                body[member] = part[member]
    return body


def compare(ours: dict, folder: Path, time: datetime) -> dict[tuple[str, str], tuple[str, str]]:
    provider, formats = PROVIDERS.get(ours["provider"], OWN)
    name, usage = ours["name"], ours["usage"]
    try:
        # Not by `extract_usage`, which fails where it has no price for the model that the answer names.
        extractor = next(known for known in providers if known.id == provider)
        _, theirs = extractor.extract_usage(answer(folder, name), api_flavor=formats.get(ours["format"], "default"))
    except ValueError:
        # They find no usage.
        return {} if usage is None else {(name, "usage"): ("counted", "none")}
    if usage is None:
        return {(name, "usage"): ("none", "counted")}
    found = {}
    for our_field, their_field in FIELDS:
        our, their = usage.get(our_field, 0), theirs.reported_value(their_field)
        if our != their:
            found[name, our_field] = (str(our), str(their))
    if ours["provider"] in PROVIDERS and ours["provider"] not in ("azure", "vertex"):
        try:
            price = calc_price(theirs, ours["model"], provider_id=provider, genai_request_timestamp=time).total_price
            price *= Decimal(10) ** 9
        except (LookupError, ValueError):
            price = None
        our = ours["cost_nusd"]
        if (our is None) != (price is None) or (price is not None and not 0 <= our - price < ROUNDING):
            shown = "unknown" if price is None else format(price.normalize(), "f")
            found[name, "cost"] = ("unknown" if our is None else str(our), shown)
    return found


def explained(document: Path) -> dict[tuple[str, str], tuple[str, str]]:
    rows = {}
    section = document.read_text().split("## Where they disagree", 1)[1].split("\n## ", 1)[0]
    for line in section.splitlines():
        cells = [cell.strip().strip("`") for cell in line.strip().strip("|").split("|")]
        if len(cells) == 5 and re.match(r"\d{3}-", cells[0]):
            name, field, ours, theirs, why = cells
            assert why, f"{name} {field} is not explained"
            rows[name, field] = (ours, theirs)
    return rows


def main() -> int:
    ours, folder, document, time = sys.argv[1:]
    lines = [json.loads(line) for line in Path(ours).read_text().splitlines()]
    found: dict[tuple[str, str], tuple[str, str]] = {}
    for line in lines:
        found |= compare(line, Path(folder), datetime.fromisoformat(time))
    known = explained(Path(document))
    wrong = sorted(key for key in found.keys() | known.keys() if found.get(key) != known.get(key))
    for name, field in wrong:
        our, their = found.get((name, field), ("agree", "agree"))
        print(f"{name}, {field}: ours {our}, theirs {their}; the table has {known.get((name, field), 'nothing')}")
    print(f"{len(lines)} answers, {len(found)} figures that differ, {len(wrong)} not as {document} says")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

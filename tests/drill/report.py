"""The summary, for people and for programs."""

import collections

from world import PLACES

COLUMNS = ["asked", "answered", "fallback", "kept", "denied", "not found", "400", "429", "5xx", "in stream", "left", "cut", "resent"]


def count(results, of):
    rows = collections.defaultdict(collections.Counter)
    for result in results:
        row = rows[of(result)]
        row["asked"] += 1
        row["resent"] += result.resent > 0
        if result.outcome == "answered":
            reason = result.record["reason"] if result.record else None
            row["kept" if result.cache == "hit" else "fallback" if reason == "fallback" else "answered"] += 1
        elif result.outcome == "error":
            row["5xx" if result.status >= 500 else str(result.status)] += 1
        else:
            row[{"error in stream": "in stream", "cut by the kill": "cut"}.get(result.outcome, result.outcome)] += 1
    return {name: dict(row) for name, row in sorted(rows.items())}


def summary(drill):
    rules = collections.Counter()
    for result in drill.results:
        if result.code == "policy_denied" and result.record:
            rules.update({candidate["removed_by"] for candidate in result.record["candidates"]})
    attempts = collections.Counter()
    for result in drill.results:
        if result.record:
            attempts.update((attempt["target"].split("@")[1].split("-")[0], attempt["result"]) for attempt in result.record["attempts"])
    times = sorted(result.ms for result in drill.results)
    return {
        "seed": drill.seed, "requests": len(drill.results), "phases": drill.phases, "entries_in_the_store": drill.entries,
        "by_format": count(drill.results, lambda result: result.ask.format), "by_fault": count(drill.results, lambda result: result.ask.fault),
        "by_window": count(drill.results, lambda result: result.window),
        "records_looked_at": sum(result.record is not None for result in drill.results),
        "removals_by_rule_in_denials": dict(rules.most_common()),
        "attempts": {f"{place} {result}": number for (place, result), number in sorted(attempts.items())},
        "ms": {"median": round(times[len(times) // 2]), "p99": round(times[len(times) * 99 // 100]), "longest": round(times[-1])} if times else {},
        "left_out": drill.left_out, "breaches": drill.breaches,
    }


def table(title, rows, columns):
    lines = [[title, *columns]] + [[name, *(str(row.get(column, "")) for column in columns)] for name, row in rows]
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    text = ["  ".join(cell.ljust(width) if not place else cell.rjust(width) for place, (cell, width) in enumerate(zip(line, widths))) for line in lines]
    return "\n".join([text[0], "─" * len(text[0]), *text[1:]])


def show(outcome):
    phases = [(phase["phase"], {"requests": phase["requests"], **{place: phase[f"packets.{place}"] for place in PLACES},
                                "frames us": phase["frames.us"], "SYN us": phase["opened.us"], "bytes us": phase["payload.us"],
                                "accepted us": phase["accepted.us"], "EU prompts us": phase["mark.EU-PROMPT.us"]}) for phase in outcome["phases"]]
    used = [column for column in COLUMNS if any(column in row for row in outcome["by_fault"].values())]
    parts = [
        "", "Packets between the gateway and …, by the kernel's packet filter; and at us by interface, raw socket and provider",
        table("phase", phases, ["requests", *PLACES, "frames us", "SYN us", "bytes us", "accepted us", "EU prompts us"]),
        "", table("requests by format", outcome["by_format"].items(), used),
        "", table("requests by fault of the provider", outcome["by_fault"].items(), used),
        "", table("requests by what was done to the world", outcome["by_window"].items(), used),
        "", "attempts: " + ", ".join(f"{name} {number}" for name, number in outcome["attempts"].items()),
        "denials removed targets by: " + ", ".join(f"{rule} {number}" for rule, number in outcome["removals_by_rule_in_denials"].items()),
        f"{outcome['records_looked_at']} decision records read; {outcome['entries_in_the_store']} answers from abroad lay in the store; "
        f"requests took {outcome['ms'].get('median')} ms (median), {outcome['ms'].get('p99')} ms (99 %), {outcome['ms'].get('longest')} ms at most; "
        f"{outcome['seconds']} s in all, seed {outcome['seed']}",
        "",
    ]
    if outcome["left_out"]:
        parts.append("Left out, for this gateway knows none: " + ", ".join(outcome["left_out"]))
    if outcome["breaches"]:
        parts += [f"BREACHES: {len(outcome['breaches'])}"] + [f"  {breach}" for breach in outcome["breaches"][:40]]
        if len(outcome["breaches"]) > 40:
            parts.append(f"  … and {len(outcome['breaches']) - 40} more (--json has all)")
    else:
        parts.append("No breach: nothing of the EU-only tenant reached us, every denial names its rule, nothing hung.")
    return "\n".join(parts)

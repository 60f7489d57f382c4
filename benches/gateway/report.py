"""The table and the verdicts."""

import statistics
import sys


def progress(text):
    """Only for a person who waits."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def median(values):
    return statistics.median(values)


def spread(values):
    """Half the way from the least to the greatest, as a share of the median."""
    return (max(values) - min(values)) / 2 / median(values) if median(values) else 0.0


class Samples:
    """Samples of one server and load, by round."""

    def __init__(self, results):
        self.all = results["samples"]

    def of(self, server, kind, connections, figure):
        chosen = [sample for sample in self.all if (sample["server"], sample.get("kind"), sample.get("connections"))
                  == (server, kind, connections)]
        return [figure(sample) for sample in sorted(chosen, key=lambda sample: sample["round"])]

    def score_us(self):
        return [sample["cpu_us"] for sample in self.all if sample["server"] == "score alone"]

    def ratios(self, one, other, kind, connections, figure):
        """Round by round, so that what slowed a whole round cancels out."""
        pairs = zip(self.of(one, kind, connections, figure), self.of(other, kind, connections, figure))
        return [a / b for a, b in pairs]


def per_request(sample):
    """CPU microseconds a request; equally, CPU milliseconds per 1,000 requests."""
    return sample["cpu_s"] * 1e6 / sample["requests"]


def per_event(sample):
    return sample["cpu_s"] * 1e6 / sample["events"]


def with_spread(values, form="{:.1f}"):
    return f"{form.format(median(values))} ±{100 * spread(values):.0f}%" if values else "-"


def print_table(head, rows):
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    for row in [head, ["-" * width for width in widths], *rows]:
        print("  ".join(cell.ljust(width) if column == 0 else cell.rjust(width)
                        for column, (cell, width) in enumerate(zip(row, widths))))


def load_table(samples, kind, connections, cost, unit):
    names = list(dict.fromkeys(sample["server"] for sample in samples.all
                               if (sample.get("kind"), sample.get("connections")) == (kind, connections)))
    rows = []
    for name in names:
        def of(figure):
            return samples.of(name, kind, connections, figure)
        row = [name, with_spread(of(lambda s: s["requests_s"]), "{:.0f}")]
        row += [f"{median(of(lambda s: s[key])):.2f}" for key in ("p50_ms", "p99_ms")]
        row += [with_spread(of(cost)), f"{median(of(lambda s: s['rss_mb'])):.0f}"]
        for other in ("bare", "nginx"):
            ratios = samples.ratios(name, other, kind, connections, cost)
            row.append(with_spread(ratios, "{:.2f}") if ratios and name != other else "")
        rows.append(row)
    if rows:
        what = "1 KB answers" if kind == "whole" else "100-event streams"
        print(f"\n{what}, {connections} connection{'s' if connections > 1 else ''}")
        print_table(["", "requests/s", "p50 ms", "p99 ms", unit, "RSS MB", "CPU/bare", "CPU/nginx"], rows)


def first_token_table(first):
    for label, times in first.items():
        print(f"\nTime to first token in µs, token sent {label}")
        direct = median(times["direct"])
        rows = []
        for name, values in times.items():
            quartiles = statistics.quantiles(values, n=4)
            rows.append([name, f"{median(values):.0f}", f"{quartiles[0]:.0f} to {quartiles[2]:.0f}",
                         f"{median(values) - direct:.0f}" if name != "direct" else ""])
        print_table(["", "median", "quartiles", "added"], rows)


class Verdicts:
    """Bars, one line each."""

    def __init__(self):
        self.met = True
        print()

    def bar(self, what, value, limit, form="{:.2f}", aim=None, note=""):
        met = value <= limit
        self.met &= met
        aims = "" if aim is None else f", aim {form.format(aim)}"
        print(f"{'met   ' if met else 'MISSED'}  {what}: {form.format(value)}, bar {form.format(limit)}{aims}{note}")


def show(results):
    """Prints everything; whether every bar that was measured is met."""
    samples = Samples(results)
    loads = sorted({(s["kind"], s["connections"]) for s in samples.all if "kind" in s}, key=lambda load: (load[0] != "whole", load[1]))
    if results["load_average"] > 0.5:
        print(f"The load average was {results['load_average']:.1f} at the start: something else was running, trust only ratios.")
    print(f"{results['rounds']} rounds of {results['seconds']} s; medians, ± half the range over rounds; ratios within rounds")
    for kind, connections in loads:
        if kind == "whole":
            load_table(samples, kind, connections, per_request, "CPU ms/1000")
        else:
            load_table(samples, kind, connections, per_event, "CPU µs/event")
    alone = samples.score_us()
    if alone:
        print(f"\nFeatures and forward pass alone: {with_spread(alone)} CPU µs a prompt")
        print(f"Prompts of `auto` that were scored in time: {100 * results['scored_share']:.2f} %")
    failed = sum(sample.get("failed", 0) for sample in samples.all)
    if failed:
        print(f"\n{failed} of {sum(sample.get('requests', 0) for sample in samples.all)} requests failed")
    first_token_table(results["first_token_us"])
    return verdicts(results, samples, alone)


def verdicts(results, samples, alone):
    if "gateway" not in results["idle_rss_mb"]:
        return True
    verdicts = Verdicts()
    named = samples.of("gateway", "whole", 32, per_request)
    bare = samples.ratios("gateway", "bare", "whole", 32, per_request)
    if bare:
        verdicts.bar("named model, 1 KB answers, 32 connections, CPU per request / bare Pingora", median(bare), 1.3, aim=1.1)
    bare = samples.ratios("gateway", "bare", "stream", 32, per_event)
    if bare:
        nginx = samples.ratios("gateway", "nginx", "stream", 32, per_event)
        note = f" ({median(nginx):.2f} × nginx, aim 1.20)" if nginx else ""
        verdicts.bar("streams, 32 connections, CPU per event / bare Pingora", median(bare), 1.3, note=note)
    # Of a token that comes late, the upstream's timer alone varies by more than a proxy adds: that table shows stalls.
    times = results["first_token_us"]["at once"]
    if "nginx" in times:
        direct = median(times["direct"])
        ours, theirs = (median(times[name]) - direct for name in ("gateway", "nginx"))
        verdicts.bar("time to first token added / nginx's", ours / max(theirs, 1.0), 1.3,
                     note=f" ({ours:.0f} µs and {theirs:.0f} µs)")
    auto = samples.of("gateway auto", "whole", 32, per_request)
    if auto and alone:
        limits = [a + 1.2 * b for a, b in zip(named, alone)]
        note = f" (named {median(named):.1f} + 1.2 × {median(alone):.1f} alone)"
        if results["scored_share"] < 0.99:
            note += f"; NOT VALID: only {100 * results['scored_share']:.1f} % of the prompts were scored"
        verdicts.bar("`auto`, CPU µs per request", median(auto), median(limits), "{:.1f}", note=note)
    verdicts.bar("idle RSS with the classifier loaded, MB", results["idle_rss_mb"]["gateway"], 60, "{:.1f}")
    return verdicts.met

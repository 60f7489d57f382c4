#!/usr/bin/env python3
"""What the difficulty network costs others on a machine that has nothing to spare; README.md says how to read it.

Two loads at once, on all cores: `auto` requests over 32 connections, every prompt a different one, and requests for a
named model beside them. Once with both stages of the classifier and once with the linear head alone, in turn, so that
whatever else the machine does hits both alike; ratios are taken within rounds.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
UPSTREAM, GATEWAY, ADMIN = 4211, 4212, 4213
AUTO, NAMED = 32, 8


def start(command, port):
    process = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return process
        except OSError:
            time.sleep(0.05)
    process.kill()
    sys.exit(f"nothing listens on port {port}: {' '.join(str(part) for part in command)}")


def load(model, connections, seconds, seed):
    return subprocess.Popen(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(HERE / "chat.lua"),
         f"http://127.0.0.1:{GATEWAY}", "--", model, "whole", str(seed), str(HERE / "sentences.txt")],
        stdout=subprocess.PIPE, text=True)


def result(run):
    text = run.communicate()[0]
    line = next((line for line in text.splitlines() if line.startswith("RESULT ")), None)
    if line is None:
        sys.exit(f"wrk failed: {text}")
    found = json.loads(line.removeprefix("RESULT "))
    if found["failed"]:
        sys.exit(f"{found['failed']} requests failed: {text}")
    return found["requests"] * 1e6 / found["microseconds"]


def metrics():
    """Counts of the score's histogram by stage and boundary, and what the network did not score by reason."""
    text = urllib.request.urlopen(f"http://127.0.0.1:{ADMIN}/metrics", timeout=5).read().decode()
    found = {}
    for line in text.splitlines():
        name, _, value = line.rpartition(" ")
        if name.startswith(("waypost_score_seconds_bucket", "waypost_unscored_total")):
            found[name] = float(value)
    return found


def run(binary, config, seconds, seed):
    gateway = start([binary, "serve", "--config", config], GATEWAY)
    try:
        for warm in (load("auto", 4, 1, seed + 1), load("weak", 4, 1, seed + 2)):
            result(warm)
        before = metrics()
        loads = load("auto", AUTO, seconds, seed), load("weak", NAMED, seconds, seed + 3)
        auto, named = (result(one) for one in loads)
        grown = {name: value - before.get(name, 0) for name, value in metrics().items()}
    finally:
        gateway.terminate()
        gateway.wait()
    label = lambda name, key: re.search(rf'{key}="([^"]*)"', name).group(1)
    stages, within = {}, 0.0
    for name, value in grown.items():
        if "_bucket" in name and label(name, "le") == "+Inf":
            stages[label(name, "stage")] = value
        elif "_bucket" in name and label(name, "le") == "0.025":
            within += value
    scored = sum(stages.values())
    reasons = {label(name, "reason"): value / scored for name, value in grown.items() if "unscored" in name and value}
    return {"auto": auto, "named": named, "network": stages.get("network", 0.0) / scored, "within": within / scored,
            "reasons": reasons}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--binaries", type=pathlib.Path, default=HERE / "../../target/release")
    options = parser.parse_args()
    binary = options.binaries.resolve() / "waypost"
    folder = pathlib.Path(tempfile.mkdtemp(prefix="waypost-bench-"))
    text = (HERE / "gateway.yaml").read_text()
    configs = {}
    for model in ("embedded", "linear"):
        configs[model] = folder / f"{model}.yaml"
        configs[model].write_text(f"{text}\nclassifier: {{ model: {model} }}\n")
    upstream = start([binary, "upstream", "--port", UPSTREAM, "--script", HERE / "upstream.yaml"], UPSTREAM)
    load_average = os.getloadavg()[0]
    rounds = []
    try:
        for turn in range(options.rounds):
            order = ["embedded", "linear"] if turn % 2 else ["linear", "embedded"]
            rounds.append({model: run(binary, configs[model], options.seconds, 1000 + 10 * turn) for model in order})
    finally:
        upstream.terminate()
        shutil.rmtree(folder, ignore_errors=True)

    ratio = lambda key: [one["embedded"][key] / one["linear"][key] for one in rounds]
    both = [one["embedded"] for one in rounds]
    show = lambda values: f"{statistics.median(values):.3f} ({min(values):.3f} to {max(values):.3f})"
    print(f"{AUTO} connections auto and {NAMED} named at once, {options.rounds} rounds of {options.seconds} s, "
          f"load before {load_average:.1f}; network against linear head alone, median (range):")
    print(f"  throughput of named requests       {show(ratio('named'))}   bar: above 0.9")
    print(f"  throughput of auto requests        {show(ratio('auto'))}")
    print(f"  share scored by the network        {show([one['network'] for one in both])}")
    print(f"  share with a score within 25 ms    {show([one['within'] for one in both])}   deadline 20 ms")
    for reason in sorted({reason for one in both for reason in one["reasons"]}):
        print(f"  not by the network: {reason:14} {show([one['reasons'].get(reason, 0.0) for one in both])}")


if __name__ == "__main__":
    main()

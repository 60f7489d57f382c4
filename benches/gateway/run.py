#!/usr/bin/env python3
"""Measures the gateway beside a bare Pingora proxy and nginx; README.md says what and how to read it.

Each server has one core, the scripted upstream and the load have another one. Within a round every server meets every
load once, one right after the other, so that whatever else the machine does hits all alike; ratios are taken within
rounds.
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

import cost
import report
from first_token import first_tokens

HERE = pathlib.Path(__file__).resolve().parent
SENTENCES = HERE / "sentences.txt"
UPSTREAM, GATEWAY, ADMIN, BARE, NGINX, NGINX_STREAMS = range(4211, 4217)

EVENTS = 100
# An event every 5 ms and connection, so that events are relayed one by one, as a model sends them.
STREAM = f" [[scripted: events={EVENTS} event_bytes=256 per_event=5ms]]"
CONNECTIONS = [1, 32, 128]


class Server:
    """A process pinned to the measured core."""

    def __init__(self, name, command, ports, core, folder):
        self.name, self.command, self.ports, self.core, self.folder = name, command, ports, core, folder
        # The gateway's line per request is written, but goes nowhere: minutes of it would fill a disk.
        self.process = self.launch(subprocess.DEVNULL)
        for port in set(ports.values()):
            self.wait_for(port)

    def launch(self, output):
        return subprocess.Popen(self.command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                text=True, preexec_fn=lambda: os.sched_setaffinity(0, {self.core}))

    def wait_for(self, port):
        for _ in range(200):
            if self.process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        self.stop()
        # Once more, to hear why.
        again = self.launch(subprocess.PIPE)
        try:
            said = again.communicate(timeout=2)[0]
        except subprocess.TimeoutExpired:
            again.kill()
            said = again.communicate()[0]
        sys.exit(f"{self.name} does not listen on port {port}: {' '.join(self.command)}\n{said[-2000:]}")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def wrk(server, connections, seconds, model, kind, seed):
    """One load on one server: what wrk and the process's own accounts say."""
    url = f"http://127.0.0.1:{server.ports['whole' if kind == 'whole' else 'stream']}"
    script = [model, kind, str(seed), str(SENTENCES)] + ([STREAM] if kind != "whole" else [])
    before = cost.cpu_seconds(server.process.pid)
    run = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(HERE / "chat.lua"), url, "--", *script],
        capture_output=True, text=True)
    cpu = cost.cpu_seconds(server.process.pid) - before
    line = next((line for line in run.stdout.splitlines() if line.startswith("RESULT ")), None)
    if line is None:
        sys.exit(f"wrk failed: {run.stdout}{run.stderr}")
    result = json.loads(line.removeprefix("RESULT "))
    if result["failed"] * 100 > result["requests"]:
        sys.exit(f"{result['failed']} of {result['requests']} requests to {server.name} failed: {run.stdout}")
    return {
        "requests_s": result["requests"] * 1e6 / result["microseconds"],
        "p50_ms": result["p50_us"] / 1e3,
        "p99_ms": result["p99_us"] / 1e3,
        "cpu_s": cpu,
        "requests": result["requests"],
        "failed": result["failed"],
        "bytes": result["bytes"],
        "rss_mb": cost.rss_mb(server.process.pid),
    }


def score_alone(program, core, library, seed, count):
    """CPU microseconds of one score."""
    env = {**os.environ, "ORT_DYLIB_PATH": os.environ.get("ORT_DYLIB_PATH", str(library))}
    run = subprocess.run([program, str(SENTENCES), str(seed), str(count)], capture_output=True, text=True, env=env,
                         preexec_fn=lambda: os.sched_setaffinity(0, {core}))
    if run.returncode:
        sys.exit(f"score_alone failed: {run.stderr}")
    result = json.loads(run.stdout.removeprefix("RESULT "))
    return result["cpu_ns"] / result["prompts"] / 1e3


# The path of a stream, and what each of its events holds.
STREAMS = {"stream": (b"/v1/chat/completions", b'"content":"'), "messages": (b"/v1/messages", b'"text_delta"')}


def bytes_per_stream(server, kind):
    """Size of one whole stream on the wire, to count events also in streams that wrk cuts off at its end."""
    path, sign = STREAMS[kind]
    body = json.dumps({"model": "weak", "messages": [{"role": "user", "content": "x" + STREAM}], "max_tokens": 1000,
                       "stream": True}).encode()
    with socket.create_connection(("127.0.0.1", server.ports["stream"])) as connection:
        connection.sendall(b"POST " + path + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                           b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        answer = b""
        while not answer.endswith(b"\r\n0\r\n\r\n"):
            piece = connection.recv(65536)
            if not piece:
                sys.exit(f"{server.name} cut a stream off after: {answer[-300:]}")
            answer += piece
    if answer.count(sign) < EVENTS:
        sys.exit(f"{server.name} did not stream {EVENTS} events: {answer[:600]}")
    return len(answer)


def scores():
    """How many prompts the gateway has scored, and how many it had to leave unscored."""
    text = urllib.request.urlopen(f"http://127.0.0.1:{ADMIN}/metrics", timeout=5).read().decode()
    scored = unscored = 0.0
    for line in text.splitlines():
        name, _, count = line.rpartition(" ")
        if name == 'waypost_score_seconds_count{stage="none"}':
            unscored += float(count)
        elif name.startswith("waypost_score_seconds_count{"):
            scored += float(count)
    return scored, unscored


def measure(servers, options, alone):
    """All rounds: a list of samples, each with its server, load and round."""
    named = servers.get("gateway")
    for server in servers.values():
        server.idle_mb = cost.rss_mb(server.process.pid)
        server.stream_bytes = {"stream": bytes_per_stream(server, "stream")}
        for kind in ("whole", "stream"):
            wrk(server, 8, 1, "weak", kind, 7)
    if named:
        named.stream_bytes["messages"] = bytes_per_stream(named, "messages")
    samples = []
    loads = [(kind, connections) for kind in ("whole", "stream") for connections in options.connections]
    scored_before = scores() if named else None
    for turn in range(options.rounds):
        for kind, connections in loads:
            order = [(name, server, "weak", kind) for name, server in servers.items()]
            if named and kind == "whole" and connections == 32:
                order.append(("gateway auto", named, "auto", kind))
            if named and kind == "stream" and connections == 32:
                # The same answer, told to a client that speaks another format.
                order.append(("gateway translating", named, "weak", "messages"))
            shift = turn % len(order)
            for name, server, model, spoken in order[shift:] + order[:shift]:
                report.progress(f"round {turn + 1} of {options.rounds}: {kind}, {connections} connections, {name}")
                sample = wrk(server, connections, options.seconds, model, spoken, 1000 + 100 * turn + connections)
                if kind == "stream":
                    sample["events"] = sample["bytes"] / server.stream_bytes[spoken] * EVENTS
                samples.append({"server": name, "kind": kind, "connections": connections, "round": turn, **sample})
        if named:
            samples.append({"server": "score alone", "round": turn, "cpu_us": alone(1000 + 100 * turn)})
    scored = None
    if named:
        done, missed = (after - before for after, before in zip(scores(), scored_before))
        scored = done / max(done + missed, 1)
    return samples, scored


def main():
    options = arguments()
    core, other = options.cores
    load_average = os.getloadavg()[0]
    if not {core, other} <= os.sched_getaffinity(0):
        sys.exit(f"cores {core} and {other} are needed; --cores A,B names others")
    binaries = options.binaries.resolve()
    nginx = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
    os.sched_setaffinity(0, {other})
    folder = pathlib.Path(tempfile.mkdtemp(prefix="waypost-bench-"))
    running = []

    def start(name, command, ports, where=core):
        running.append(Server(name, [str(part) for part in command], ports, where, folder))
        return running[-1]

    try:
        upstream = options.upstream or f"{binaries / 'waypost'} upstream --port {UPSTREAM} --script {HERE / 'upstream.yaml'}"
        start("upstream", upstream.split(), {"whole": UPSTREAM, "stream": UPSTREAM}, other)
        servers = {}
        if "gateway" in options.servers:
            command = [binaries / "waypost", "serve", "--config", HERE / "gateway.yaml"]
            servers["gateway"] = start("gateway", command, {"whole": GATEWAY, "stream": GATEWAY, "admin": ADMIN})
        if "bare" in options.servers:
            command = [binaries / "examples/bare_proxy", f"127.0.0.1:{BARE}", f"127.0.0.1:{UPSTREAM}"]
            servers["bare"] = start("bare", command, {"whole": BARE, "stream": BARE})
        if "nginx" in options.servers:
            command = [nginx or "nginx", "-p", folder, "-c", HERE / "nginx.conf"]
            servers["nginx"] = start("nginx", command, {"whole": NGINX, "stream": NGINX_STREAMS})

        library = binaries / "libonnxruntime.so"
        samples, scored = measure(
            servers, options,
            lambda seed: score_alone(binaries / "examples/score_alone", core, library, seed, options.scores))
        ports = {name: server.ports["stream"] for name, server in servers.items()} | {"direct": UPSTREAM}
        first = {}
        for label, marker, count in (("at once", "events=3", options.streams),
                                     ("after 20 ms", "events=3 before_first_token=20ms", options.streams // 10)):
            report.progress(f"first token, {label}: {count} streams through each")
            first[label] = first_tokens(ports, marker, count)
        results = {
            "load_average": load_average, "rounds": options.rounds, "seconds": options.seconds, "events": EVENTS, "samples": samples,
            "first_token_us": first, "scored_share": scored,
            "idle_rss_mb": {name: server.idle_mb for name, server in servers.items()},
        }
    finally:
        for server in reversed(running):
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)

    report.progress("")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))
    met = report.show(results)
    if options.strict and not met:
        sys.exit(1)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="3 rounds of 2 s: a first look in under 3 minutes")
    parser.add_argument("--rounds", type=int, help="default 7")
    parser.add_argument("--seconds", type=int, help="length of one load, default 3")
    parser.add_argument("--connections", type=lambda text: [int(part) for part in text.split(",")], default=CONNECTIONS)
    parser.add_argument("--streams", type=int, default=2000, help="streams per server for the time to first token")
    parser.add_argument("--scores", type=int, default=10_000, help="prompts a round for the cost of a score alone")
    parser.add_argument("--json", type=pathlib.Path, help="also write every sample to this file")
    parser.add_argument("--strict", action="store_true", help="exit 1 if a bar is missed")
    parser.add_argument("--cores", type=lambda text: [int(part) for part in text.split(",")], default=[0, 1],
                        help="core of the servers, core of upstream and load")
    parser.add_argument("--servers", type=lambda text: text.split(","), default=["gateway", "bare", "nginx"])
    parser.add_argument("--binaries", type=pathlib.Path, default=HERE / "../../target/release",
                        help="folder of waypost, libonnxruntime.so and examples/")
    parser.add_argument("--upstream", help="another command for the upstream")
    options = parser.parse_args()
    options.rounds = options.rounds or (3 if options.short else 7)
    options.seconds = options.seconds or (2 if options.short else 3)
    return options


if __name__ == "__main__":
    main()

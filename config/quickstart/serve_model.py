"""Serves one GGUF model with llama.cpp's own HTTP server, on loopback, until the process that started it ends.

    serve_model.py serve MODEL.gguf --port 8091 --alias NAME --log FILE [--context 4096] [--slots 2]
    serve_model.py wait --port 8091 [--seconds 120] [--pid N]

`serve` ignores Ctrl-C on purpose: the gateway in front drains its running streams first, and this process leaves
when its parent has. `wait` succeeds only when the server has answered a real chat request.
"""

import argparse
import json
import os
import signal
import sys
import time
import urllib.request


def serve(args: argparse.Namespace) -> int:
    parent = os.getppid()
    # llama.cpp logs from C++, so the descriptors are redirected and not just sys.stdout.
    log = os.open(args.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = args.model
    params.model_alias = {args.alias}
    params.hostnames = ["127.0.0.1"]
    params.port = args.port
    params.cors_origins = f"http://127.0.0.1:{args.port}"  # no other page in a browser may read answers
    # The context is shared out among the slots, so each of them gets the whole that a client is promised.
    params.n_ctx = args.context * args.slots
    params.n_parallel = args.slots
    params.cpuparams.n_threads = args.threads
    params.cpuparams_batch.n_threads = args.threads
    params.n_gpu_layers = 0
    params.warmup = False
    params.use_jinja = True
    if args.reasoning == "text":
        params.reasoning_format = xllamacpp.common_reasoning_format.COMMON_REASONING_FORMAT_NONE
    params.endpoint_metrics = True
    params.ui = False
    server = xllamacpp.Server(params)
    print("listening", server.listening_address, flush=True)
    while args.detached or os.getppid() == parent:
        time.sleep(0.2)
    # The server's threads may be in the middle of an answer that nobody reads any more.
    os._exit(0)


def answers(port: int, timeout: float) -> bool:
    """Whether a chat request gets a token back. /health alone says 200 before the first one would."""
    body = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 1}
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/chat/completions",
        data=json.dumps(body).encode(),
        headers={"content-type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:
            return bool(json.load(response).get("choices"))
    except (OSError, ValueError):
        return False


def ended(pid: int) -> bool:
    """Whether that process is gone, or over and only waiting to be noticed by its parent."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def wait(args: argparse.Namespace) -> int:
    deadline = time.monotonic() + args.seconds
    while True:
        if answers(args.port, timeout=min(30.0, args.seconds) or 5.0):
            return 0
        if time.monotonic() >= deadline or (args.pid and ended(args.pid)):
            return 1
        time.sleep(0.1)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("serve")
    run.add_argument("model")
    run.add_argument("--port", type=int, default=8091)
    run.add_argument("--alias", default="local")
    run.add_argument("--log", required=True)
    run.add_argument("--context", type=int, default=4096, help="tokens of context of each slot")
    run.add_argument("--slots", type=int, default=2, help="requests answered at the same time")
    run.add_argument("--threads", type=int, default=1)
    run.add_argument(
        "--reasoning", choices=["field", "text"], default="field", help="where thoughts go: reasoning_content, or <think>"
    )
    run.add_argument("--detached", action="store_true", help="go on when the parent process has ended")
    run.set_defaults(act=serve)
    ready = commands.add_parser("wait")
    ready.add_argument("--port", type=int, default=8091)
    ready.add_argument("--seconds", type=float, default=120.0)
    ready.add_argument("--pid", type=int, help="give up as soon as this process has ended")
    ready.set_defaults(act=wait)
    args = parser.parse_args()
    return args.act(args)


if __name__ == "__main__":
    sys.exit(main())

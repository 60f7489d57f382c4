#!/usr/bin/env python3
"""The residency drill: real processes in network namespaces, faults everywhere, and packets to where none may go, counted
outside of the gateway. docs/drill.md says what it does and how to read it.

    python3 tests/drill/run.py --binary target/release/waypost [--requests 5000] [--seed N] [--json]
"""

import argparse
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
INSIDE = "WAYPOST_DRILL_INSIDE"
TOOLS = {"ip": "iproute2", "nft": "nftables", "unshare": "util-linux", "nsenter": "util-linux", "mount": "mount", "redis-server": "redis-server"}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--binary", required=True, type=pathlib.Path, help="the gateway, target/release/waypost")
    parser.add_argument("--requests", type=int, default=5000, help="by the tenant that may not leave (default: 5000)")
    parser.add_argument("--seed", type=int, default=None, help="default: a new one, which is printed")
    parser.add_argument("--workers", type=int, default=24, help="clients at once (default: 24)")
    parser.add_argument("--older", action="store_true", help="of a gateway that knows no reload, or no policy that extends another: leave that out")
    parser.add_argument("--without", metavar="RULE", help="leave this rule of the policy out, to see the drill fail")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--keep", action="store_true", help="keep configuration, logs and records, and say where")
    return parser.parse_args()


def enter():
    """Starts this program again as the root of its own user, network, mount and process namespaces: what it sets up ends with
    it, whatever becomes of it, and the machine's own network is never touched. Root needs no user namespace where there are none."""
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    missing = sorted({package for tool, package in TOOLS.items() if not shutil.which(tool)})
    if missing:
        sys.exit(f"drill: missing, please install: {' '.join(missing)}")
    common = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    ways = [["unshare", "--user", "--map-root-user", *common]] + ([["unshare", *common]] if os.geteuid() == 0 else [])
    said = []
    for way in ways:
        tried = subprocess.run([*way, "true"], capture_output=True, text=True)
        if tried.returncode == 0:
            os.environ[INSIDE] = "1"
            os.execvp(way[0], [*way, sys.executable, str(HERE / "run.py"), *sys.argv[1:]])
        said.append(tried.stderr.strip())
    sys.exit("drill: needs network namespaces, and this machine lets this user have none. Run it as root, or allow user namespaces "
             "(sysctl kernel.unprivileged_userns_clone=1 or user.max_user_namespaces=10000; in a container: --privileged).\n"
             "tried: " + "\n       ".join(said))


def main():
    asked = arguments()
    if asked.requests < 300:
        sys.exit("drill: --requests: at least 300, to meet every fault")
    if not os.access(asked.binary, os.X_OK):
        sys.exit(f"drill: {asked.binary} is no program; `make build` makes it")
    if os.environ.get(INSIDE) != "1":
        enter()
    from drill import Drill
    from report import show
    from world import Broken

    seed = asked.seed if asked.seed is not None else random.SystemRandom().randrange(1 << 32)
    if not asked.json:
        print(f"residency drill, seed {seed}, {asked.requests} requests", flush=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="waypost-drill-"))
    began = time.monotonic()
    drill = None
    try:
        drill = Drill(folder, asked.binary.resolve(), seed, asked.requests, asked.workers, asked.without, asked.older, quiet=asked.json)
        outcome = drill.run()
    except Broken as error:
        sys.exit(f"drill: {error}")
    finally:
        if drill is not None:
            drill.stop()
        if asked.keep:
            print(f"kept: {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    outcome["seconds"] = round(time.monotonic() - began, 1)
    print(json.dumps(outcome, indent=1) if asked.json else show(outcome))
    sys.exit(1 if outcome["breaches"] else 0)


if __name__ == "__main__":
    main()

"""Runs LangChain's own integration tests straight at a model's server and through the gateway, and compares.

    langchain_diff.py --straight http://127.0.0.1:8080 --through http://127.0.0.1:4000 --model NAME

Whatever passes straight has to pass through the gateway: exits with 1 where it does not. What passes only through the
gateway is named too.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
from xml.etree import ElementTree

SUITE = pathlib.Path(__file__).with_name("langchain_suite.py")
# Clients are kept from one test to the next, and so must be the event loop that their connections belong to.
ONE_LOOP = ["asyncio_mode=auto", "asyncio_default_test_loop_scope=session", "asyncio_default_fixture_loop_scope=session"]


def run(server: str, model: str) -> dict[str, str]:
    """What became of each test: passed, skipped, or why it failed."""
    environment = os.environ | {
        "LANGCHAIN_SERVER": server,
        "LANGCHAIN_MODEL": model,
        "LANGSMITH_TRACING": "false",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    with tempfile.TemporaryDirectory() as folder:
        report = pathlib.Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short", f"--junitxml={report}"]
        for option in ONE_LOOP:
            command += ["-o", option]
        ran = subprocess.run([*command, str(SUITE)], env=environment, capture_output=True, text=True, timeout=300)
        if not report.exists():
            sys.exit(f"the tests did not run:\n{ran.stdout}{ran.stderr}")
        cases = ElementTree.parse(report).getroot().iter("testcase")
        return {f"{case.get('classname', '').rpartition('.')[2]}.{case.get('name')}": outcome(case) for case in cases}


def outcome(case: ElementTree.Element) -> str:
    for kind in ("failure", "error"):
        if (found := case.find(kind)) is not None:
            return f"failed: {found.get('message')}\n{found.text or ''}"
    return "passed" if case.find("skipped") is None else "skipped"


def counted(results: dict[str, str]) -> str:
    words = [result.partition(":")[0] for result in results.values()]
    return ", ".join(f"{words.count(word)} {word}" for word in ("passed", "failed", "skipped"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("--straight", "--through", "--model"):
        parser.add_argument(name, required=True)
    args = parser.parse_args()
    straight, through = run(args.straight, args.model), run(args.through, args.model)
    print(f"straight: {counted(straight)}\nthrough:  {counted(through)}")
    if "passed" not in straight.values():
        print("nothing passed straight at the model, so nothing was compared")
        return 1
    worse = 0
    for name in sorted(straight | through):
        before, after = (results.get(name, "not run") for results in (straight, through))
        if before.partition(":")[0] == after.partition(":")[0]:
            continue
        worse += before == "passed"
        if before != "passed":  # only to be named
            before, after = before.splitlines()[0], after.splitlines()[0]
        print(f"\n{name}\n  straight: {before}\n  through: {after}")
    if not worse:
        print("no difference to the worse" if straight.keys() == through.keys() else "other tests were run")
    return 1 if worse or straight.keys() != through.keys() else 0


if __name__ == "__main__":
    sys.exit(main())

#!/bin/sh
# All tests, by nextest where it is installed. `make test` sets what they need; arguments go to the test runner.
set -eu
cd "$(dirname "$0")/.."
# First, so that the last line a reader sees is that of the main run.
[ $# -gt 0 ] || cargo test --locked --doc --quiet
if cargo nextest --version >/dev/null 2>&1; then
    exec cargo nextest run --locked "$@"
fi
exec cargo test --locked "$@"

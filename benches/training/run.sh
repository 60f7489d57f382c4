#!/bin/sh
# Trains the network again and writes config/classifier/: run.sh [--data DIR]. See README.md.
set -eu
cd "$(dirname "$0")"
VENV="${WAYPOST_TRAIN_VENV:-../../.waypost/venv-train}"
if [ ! -x "$VENV/bin/python" ]; then
    python3 -m venv "$VENV"
fi
"$VENV/bin/pip" install --quiet --disable-pip-version-check -r requirements-network.txt
exec "$VENV/bin/python" train_network.py "$@"

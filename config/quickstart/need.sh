#!/bin/sh
# Installs the Debian packages of commands that are missing:  need.sh COMMAND[:PACKAGE]...
# As root, or with a sudo that asks no password; else it prints the one command to type. Says nothing if all is there.
set -eu

missing=
for item in "$@"; do
    command=${item%%:*}
    package=${item#*:}
    case $command in
        # The module alone is not enough on Debian: without ensurepip a new venv has no pip.
        python3-venv) python3 -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv" ;;
        *) command -v "$command" >/dev/null 2>&1 || [ -x "/usr/sbin/$command" ] || missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "missing, please install:$missing" >&2
    exit 1
fi
if [ "$(id -u)" = 0 ]; then
    as_root=
elif sudo -n true 2>/dev/null; then
    as_root="sudo -n"
else
    echo "missing:$missing. Please type:" >&2
    echo "    sudo apt-get update && sudo apt-get install -y --no-install-recommends$missing" >&2
    exit 1
fi

echo "installing:$missing"
# Only the programs are wanted: Debian would also start redis, prometheus and nginx as services.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap '$as_root rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
    $as_root chmod 755 "$policy"
fi
$as_root apt-get update -qq
# shellcheck disable=SC2086 # a list of packages
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq -o Dpkg::Use-Pty=0 --no-install-recommends $missing

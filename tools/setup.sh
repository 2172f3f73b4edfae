#!/bin/sh
# Makes .venv in this checkout, installs a lock file into it, and touches the stamp that says so.
# Usage: tools/setup.sh LOCK STAMP
set -eu

for candidate in "${PYTHON:-}" python3.11 python3.12 python3.13 python3; do
    [ -n "$candidate" ] && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break
    candidate=
done
if [ -z "$candidate" ]; then
    echo "setup: Python 3.11 or newer is missing (Debian: apt-get install python3 python3-venv)" >&2
    exit 2
fi
if ! "$candidate" -c 'import ensurepip, venv' 2>/dev/null; then
    echo "setup: Python's venv module is missing (Debian: apt-get install python3-venv)" >&2
    exit 2
fi

.venv/bin/python -m pip --version >/dev/null 2>&1 || "$candidate" -m venv --clear .venv
echo "setup: installing $1 into .venv (once)" >&2
log=.venv/setup.log
# A lock is complete. pip must not look for more: it would find newer releases of what is asked for with an extra.
if ! { .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r "$1" &&
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable . ; } >"$log" 2>&1; then
    tail -n 5 "$log" >&2
    echo "setup: the packages of $1 could not be installed (is a package index within reach?)" >&2
    exit 2
fi
touch "$2"

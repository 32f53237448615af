#!/bin/sh
# Runs the tests of one level ($1; the rest goes to pytest) and prints the time it took.
set -eu

level=$1
shift
if ! find "tests/$level" -name 'test_*.py' 2>/dev/null | grep -q .; then
    echo "== $level: no tests yet"
    exit 0
fi
start=$(date +%s)
.venv/bin/python -m pytest "tests/$level" "$@"
echo "== $level: $(($(date +%s) - start)) s"

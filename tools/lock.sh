#!/bin/sh
# Writes requirements/*.txt from requirements/*.in: for every platform, with hashes, without a registry's address.
set -eu

cd "$(dirname "$0")/.."
UV_CUSTOM_COMPILE_COMMAND="make lock"
export UV_CUSTOM_COMPILE_COMMAND
for name in runtime dev peers; do
    .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
        "$@" "requirements/$name.in" --output-file "requirements/$name.txt"
done
if grep -nE 'https?://|file://|find-links' requirements/*.txt; then
    echo "a lock names an address" >&2
    exit 1
fi

#!/bin/sh
# Makes the virtual environment $1 with Python 3.11: $2 if given, else the first that is found.
set -eu

folder=$1
wanted=$2

is_311() {
    "$1" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null
}

python=
for candidate in ${wanted:-python3.11 python3 python /usr/bin/python3.11 /usr/local/bin/python3.11}; do
    if is_311 "$candidate"; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    {
        echo "Python 3.11 was not found${wanted:+: $wanted is another version, or nothing at all}."
        echo "Install it (Debian, Ubuntu: apt-get install python3.11 python3.11-venv; macOS: brew install python@3.11;"
        echo "anywhere: uv python install 3.11), or say where it is: make setup PYTHON=/path/to/python3.11"
    } >&2
    exit 1
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    echo "$python has no venv module: install it (Debian, Ubuntu: apt-get install python3.11-venv)" >&2
    exit 1
fi
echo "making $folder with $("$python" -c 'import platform, sys; print(sys.executable, platform.python_version())')"
"$python" -m venv --clear "$folder"

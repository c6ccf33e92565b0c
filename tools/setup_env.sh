#!/bin/sh
# Makes the environment of this checkout in .venv: finds a Python that is new enough,
# then hands over to tools/setup_environment. Called by `make`; safe to run by hand.
#
# PYTHON=python3.11 sh tools/setup_env.sh     use this Python
set -u
cd "$(dirname "$0")/.." || exit 1

is_new_enough() {
    "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] < (4, 0))' \
        >/dev/null 2>&1
}

version_of() {
    "$1" -c 'import sys; print(".".join(map(str, sys.version_info[:3])))' 2>/dev/null \
        || echo 'does not run'
}

if [ -n "${PYTHON:-}" ]; then
    candidates=$PYTHON
else
    # 3.11 is the verified one; the rest follow by how well they are known to work.
    candidates='python3 python python3.11 python3.12 python3.10 python3.13'
fi

seen=''
for candidate in $candidates; do
    command -v "$candidate" >/dev/null 2>&1 || continue
    if is_new_enough "$candidate"; then
        exec "$candidate" tools/setup_environment "$@"
    fi
    seen="$seen  $candidate: $(version_of "$candidate")
"
done

cat >&2 <<MESSAGE
Cannot set up: mmwsis needs Python 3.10 or newer, and none was found.
Looked at:
${seen:-  $candidates: not on PATH
}What to do, whichever fits your machine:
  Debian 12, Ubuntu 22.04 or newer:  sudo apt install python3 python3-venv python3-dev
  conda:                             conda create -n py311 python=3.11 && conda activate py311
  macOS:                             brew install python@3.11
  no administrator rights:           https://github.com/pyenv/pyenv (pyenv install 3.11)
then run make again, or name a Python yourself: make PYTHON=/path/to/python3.11 ...
MESSAGE
exit 1

#!/bin/sh
# Finds a Python that is new enough (or takes $PYTHON) for tools/setup_environment.py.
cd "$(dirname "$0")/.." || exit 1
unset PYTHONPATH PYTHONHOME PIP_USER PIP_TARGET PIP_PREFIX # they lead pip astray
for python in ${PYTHON:-python3 python python3.11 python3.12 python3.10 python3.13}; do
    version=$("$python" -c 'import sys; print(sys.version.split()[0])' 2>/dev/null)
    case $version in 3.1[0-9].*) exec "$python" tools/setup_environment.py ;; esac
    seen="$seen $python (${version:-not found, or does not run})"
done
cat >&2 <<MESSAGE
Cannot set up: mmwsis needs Python 3.10 or newer; looked at$seen.
Install one (Debian, Ubuntu: sudo apt install python3 python3-venv python3-dev; conda:
conda create -n py311 python=3.11), or name it: make PYTHON=/path/to/python3.11 ...
MESSAGE
exit 1

#!/usr/bin/env bash
# Train on several GPUs, and on several machines.
#   bash tools/dist_train.sh CONFIG GPUS [arguments of tools/train.py]
# Several machines: run it on each with NNODES, NODE_RANK (0, 1, ...), and MASTER_ADDR
# and PORT of the first. Without GPUs, GPUS counts processes (gloo).
set -euo pipefail
if [ $# -lt 2 ]; then
    sed -n '2,5s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
CONFIG=$1
GPUS=$2
TOOLS=$(cd "$(dirname "$0")" && pwd)

PYTHONPATH="$TOOLS/..${PYTHONPATH:+:$PYTHONPATH}" exec "${PYTHON:-python}" \
    -m mmwsis.engine.torchrun \
    --nnodes="${NNODES:-1}" \
    --node-rank="${NODE_RANK:-0}" \
    --master-addr="${MASTER_ADDR:-127.0.0.1}" \
    --master-port="${PORT:-29500}" \
    --nproc-per-node="$GPUS" \
    "$TOOLS/train.py" "$CONFIG" --launcher pytorch "${@:3}"

#!/bin/bash
# One search for flags, begun in FILE or gone on with:
#   tune.sh FILE MODEL TUNE-OPTIONS
# after sourcing DATA/env.sh, with a daemon running. FILE, what was said and the overlay are copied to
# OUT. The weights are dummies.
set -uo pipefail
file=$1 model=$2 name=$(basename "$1" .json)
shift 2
sw tune "$model" "$@" --set load_format=dummy --state "$file" 2>&1 | tee "$OUT/$name.txt"
cp "$file" "$OUT/$name.json"
cp "$SPARKWELL_HOME"/config/tuned/*.yaml "$OUT/" 2> /dev/null
nvidia-smi --query-gpu=memory.used --format=csv,noheader

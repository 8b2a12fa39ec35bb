#!/bin/bash
# One model with one set of flags: started by Sparkwell, measured, ended.
#   measure.sh NAME MODEL UP-OPTIONS -- [BENCH-OPTIONS -- …]
# after sourcing DATA/env.sh. Every run is moved to OUT as NAME-N.json, so that no plan learns from the
# one before. The weights are dummies.
set -uo pipefail
name=$1 model=$2
shift 2
options=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do options+=("$1"); shift; done
shift
say() { echo "$(date +%T) $name: $*"; }

began=$SECONDS
sw up "$model" "${options[@]}" --set load_format=dummy --force 2>&1 | tail -4
say "started in $((SECONDS - began)) s"
sw status --json | python3 -c "
import json, sys
[found] = [each for each in json.load(sys.stdin)['instances'] if each['state'] == 'ready']
print({key: found[key] for key in ('model', 'flags', 'phases', 'start_s')})" || sw logs "$model" -n 40
number=0
while [ $# -gt 0 ]; do
  words=()
  while [ $# -gt 0 ] && [ "$1" != -- ]; do words+=("$1"); shift; done
  shift
  number=$((number + 1)) began=$SECONDS
  sw bench "$model" "${words[@]}" 2> "$OUT/$name-$number.err" || tail -3 "$OUT/$name-$number.err"
  mv "$SPARKWELL_HOME"/state/benchmarks/*.json "$OUT/$name-$number.json" || say "nothing was kept"
  say "${words[*]}: $((SECONDS - began)) s"
done
sw logs "$model" -n 100000 > "$OUT/$name.log" 2>&1 || true
gzip -f "$OUT/$name.log"
sw down > /dev/null
nvidia-smi --query-gpu=memory.used --format=csv,noheader

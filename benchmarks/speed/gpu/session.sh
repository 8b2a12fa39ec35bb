#!/bin/bash
# What is measured on one GPU of a host that host.sh made ready, one job after another:
#   session.sh DATA GPU SECONDS JOB…
# A JOB is one of
#   suite:MODEL       the guide's flags: the guide suite, and 256 clients; then those with 256 sequences
#   graphs:MODEL      the guide's flags with CUDA graphs for prompts of 512 tokens: the guide suite
#   few:MODEL         256 sequences: the guide suite
#   defaults:MODEL    256 clients: vLLM's own defaults for a GPU of 70 GiB or more, then 256 sequences,
#                     then the guide's flags
#   tune:MODEL:GOAL[:TRIALS[:LEFT]]   a search for flags of so many starts (3), in what is left of the
#                     SECONDS but for the last LEFT of them (0)
# Files come to DATA/out, what is said to DATA/out/GPU.txt. Before a run is kept, a short one lets
# the engine compile what it needs for such steps.
set -uo pipefail
DATA=$1 GPU=$2 END=$((SECONDS + $3)) HERE=$(realpath "$(dirname "$0")")
shift 3
export OUT=$DATA/out
mkdir -p "$OUT"
exec > >(tee -a "$OUT/$GPU.txt") 2>&1
. "$DATA/env.sh" "$GPU"
export -f sw
say() { echo "$(date +%T) $*"; }

short=(--output-tokens 24 --requests 96 --repeats 1 --suite guide --concurrency)
many=(--profile guide --set max_num_seqs=256 --set max_num_batched_tokens=8192)
own=(--profile guide --set max_num_seqs=1024 --set max_num_batched_tokens=8192)
crowd=(--suite guide --concurrency 256 --requests 512 --slo ttft=2s --repeats 2 --seed pair)

suite() {
  bash "$HERE/measure.sh" "$1-guide-flags" "$1" --profile guide -- \
    "${short[@]}" 16,64 -- --suite guide --repeats 2 -- "${crowd[@]}" --
  bash "$HERE/measure.sh" "$1-256-seqs" "$1" "${many[@]}" -- "${short[@]}" 256 -- "${crowd[@]}" --
}

few() {
  bash "$HERE/measure.sh" "$1-256-seqs-few" "$1" "${many[@]}" -- \
    "${short[@]}" 16,64 -- --suite guide --repeats 2 --
}

defaults() {
  bash "$HERE/measure.sh" "$1-vllm-defaults-pair" "$1" "${own[@]}" -- "${short[@]}" 256 -- "${crowd[@]}" --
  bash "$HERE/measure.sh" "$1-256-seqs-pair" "$1" "${many[@]}" -- "${short[@]}" 256 -- "${crowd[@]}" --
  bash "$HERE/measure.sh" "$1-guide-flags-pair" "$1" --profile guide -- "${short[@]}" 256 -- "${crowd[@]}" --
}

graphs() {
  bash "$HERE/measure.sh" "$1-graphs" "$1" --profile guide --set max_cudagraph_capture_size=512 -- \
    "${short[@]}" 16,64 -- --suite guide --repeats 2 --
}

tune() {
  bash "$HERE/tune.sh" "$DATA/$1-$2.json" "$1" --goal "$2" --profile guide \
    --trials "${3:-3}" --budget "$((END - SECONDS - ${4:-0}))s"
}

setsid nohup bash -c "sw serve" > "$OUT/daemon$GPU.txt" 2>&1 < /dev/null &
sleep 5
for job in "$@"; do
  say "$job begins, $((END - SECONDS)) s left"
  IFS=: read -r -a words <<< "$job"
  "${words[@]}"
  say "$job ends"
done
say all done

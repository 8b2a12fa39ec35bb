#!/bin/bash
# A GPU host that reaches no network, made ready to measure with `sparkwell bench`:
#   host.sh DATA CONFIGS [GPUS]
# DATA/parts has part.00, part.01 …: a tar of wheels in parts, vllm/ for the engine and sw/ for
# Sparkwell. DATA/kernels, where there is one, has kernel.00 …: a tar.xz of an earlier DATA/cache.
# CONFIGS has a folder with a config.json for each model. Leaves DATA/env.sh, to be sourced with the
# number of a GPU (0): each has a Sparkwell of its own, and all share what is compiled.
# Weights are dummies: memory and speed are the real ones. A mixture's router has to be in 16 bits, as
# configs.py has it: then tokens choose evenly, as far as random ones can.
set -euo pipefail
DATA=$1 CONFIGS=$(realpath "$2") GPUS=${3:-1} ROOT=$(realpath "$(dirname "$0")/../../..") PYTHON=$(command -v python3)
say() { echo "$(date +%T) $*"; }

if [ -e "$DATA/parts/part.00" ]; then
  say unpack
  mkdir -p "$DATA/wheels" "$DATA/site" "$DATA/sw"
  cat "$DATA"/parts/part.* | tar x -C "$DATA/wheels"
  rm -r "$DATA/parts"
  "$PYTHON" -m pip install -q --no-index --no-deps --target "$DATA/site" "$DATA"/wheels/vllm/*.whl &
  "$PYTHON" -m pip install -q --no-index --no-deps --target "$DATA/sw" "$DATA"/wheels/sw/*.whl
  wait
fi

say "models and homes"
engine=$DATA/engines/vllm
mkdir -p "$engine/bin" "$DATA/cache"
if [ -e "$DATA/kernels/kernel.00" ]; then cat "$DATA"/kernels/kernel.* | tar xJ -C "$DATA"; fi
for each in "$CONFIGS"/*/; do
  name=$(basename "$each")
  "$PYTHON" "$ROOT/benchmarks/gateway/gpu/model.py" "$each" "$DATA/hf" "$(cat "$each/repo")" > /dev/null
  say "$name"
done
cat > "$engine/bin/python" << END
#!/bin/sh
export PYTHONPATH=$DATA/site VLLM_NO_USAGE_STATS=1 DO_NOT_TRACK=1
exec $PYTHON "\$@"
END
chmod +x "$engine/bin/python"
cat > "$engine/sparkwell-engine.json" << END
{"name": "vllm", "engine": "vllm", "device": "cuda", "version": "0.25.0", "libraries": "",
 "folder": "$engine", "python": "$engine/bin/python"}
END
for gpu in $(seq 0 $((GPUS - 1))); do
  home=$DATA/home$gpu
  mkdir -p "$home/config" "$home/data"
  ln -sfn "$DATA/engines" "$home/data/engines"
  ln -sfn "$DATA/cache" "$home/cache"
  cat > "$home/config/sparkwell.yaml" << END
gateway: {port: $((8123 + gpu))}
engines: {driver: process, canary_timeout_s: 300}
switching: {idle_s: 0, back_end: cold}
model_folders: [$DATA/hf]
END
done
cat > "$DATA/env.sh" << END
export PYTHONPATH=$ROOT/src:$DATA/sw PYTHONUNBUFFERED=1 COLUMNS=150
export CUDA_VISIBLE_DEVICES=\${1:-0} SPARKWELL_HOME=$DATA/home\${1:-0}
sw() { $PYTHON -m sparkwell "\$@"; }
END
say ready

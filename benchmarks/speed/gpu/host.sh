#!/bin/bash
# A GPU host that reaches no network, made ready to measure with `sparkwell bench`:
#   host.sh DATA CONFIGS
# DATA/parts has part.00, part.01 …: a tar of wheels in parts, vllm/ for the engine and sw/ for
# Sparkwell. CONFIGS has a folder with a config.json for each model. Leaves DATA/env.sh to be sourced.
# Weights are dummies: memory and speed are the real ones (a mixture routes at random).
set -euo pipefail
DATA=$1 CONFIGS=$(realpath "$2") ROOT=$(realpath "$(dirname "$0")/../../..") PYTHON=$(command -v python3)
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

say "models and home"
engine=$DATA/home/data/engines/vllm
mkdir -p "$engine/bin" "$DATA/home/config"
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
cat > "$DATA/home/config/sparkwell.yaml" << END
gateway: {port: 8123}
engines: {driver: process, canary_timeout_s: 300}
switching: {idle_s: 0, back_end: cold}
model_folders: [$DATA/hf]
END
cat > "$DATA/env.sh" << END
export PYTHONPATH=$ROOT/src:$DATA/sw SPARKWELL_HOME=$DATA/home PYTHONUNBUFFERED=1 COLUMNS=150
sw() { $PYTHON -m sparkwell "\$@"; }
END
say ready

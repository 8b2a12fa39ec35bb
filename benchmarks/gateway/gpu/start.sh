#!/bin/bash
# Sparkwell with Qwen3-8B-FP8 (dummy weights) on a GPU host that reaches no network:
#   start.sh DATA CARRIED
# DATA has part.00, part.01 ...: a site with vLLM, tar.xz in parts. CARRIED has sw.txz (a site with
# what Sparkwell needs) and qwen3-8b-fp8/config.json. Returns when the start has begun; the daemon
# is in a session of its own and goes on. env.sh in DATA is for what comes after. Called again, it
# starts all but the unpacking anew; with GRAPHS=all, with vLLM's own sizes of CUDA graphs.
set -euo pipefail
DATA=$1 CARRIED=$(realpath "$2") HERE=$(dirname "$(realpath "$0")")
MODEL=qwen3-8b-fp8 PORT=8123 PYTHON=$(command -v python3)
say() { echo "$(date +%T) $*"; }

mkdir -p "$DATA/site" "$DATA/sw" "$DATA/home/config" "$DATA/home/data/engines/vllm/bin"
if [ -e "$DATA/part.00" ]; then
  say "unpack"
  cat "$DATA"/part.0? | xz -dc -T0 | tar x -C "$DATA/site"
  rm "$DATA"/part.0?
  tar xJf "$CARRIED/sw.txz" -C "$DATA/sw"
  for each in uvloop httptools msgspec pydantic pydantic_core; do  # the same releases
    cp -r "$DATA/site/$each" "$DATA/site/$each"-*.dist-info "$DATA/sw/"
  done
  "$PYTHON" -m compileall -q -j 0 "$DATA/site" "$DATA/sw" > "$DATA/compileall.log" 2>&1 || true
fi

say "model and home"
cat > "$DATA/env.sh" << END
export PYTHONPATH=$HERE/../../../src:$DATA/sw SPARKWELL_HOME=$DATA/home PYTHONUNBUFFERED=1
END
. "$DATA/env.sh"
"$PYTHON" "$HERE/model.py" "$CARRIED/$MODEL" "$DATA/hf" Qwen/Qwen3-8B-FP8
engine=$DATA/home/data/engines/vllm
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
# Few sizes of CUDA graphs, since each takes seconds in a first start; every eighth up to 64.
cat > "$DATA/home/config/sparkwell.yaml" << END
gateway: {port: $PORT}
engines: {driver: process, canary_timeout_s: 300}
switching: {idle_s: 0, back_end: cold}
model_folders: [$DATA/hf]
models:
  $MODEL:
    flags:
      load_format: dummy
      max_model_len: 32768
      max_num_seqs: 256
      max_num_batched_tokens: 8192
      gpu_memory_utilization: 0.85
      compilation_config: >-
        {"cudagraph_capture_sizes": [1, 2, 4, 8, 16, 24, 32, 40, 48, 56, 64, 96, 128, 192, 256]}
END
[ "${GRAPHS:-few}" = few ] || sed -i '/compilation_config/,$d' "$DATA/home/config/sparkwell.yaml"

say "serve, up"
if [ -s "$DATA/home/state/daemon.lock" ]; then
  "$PYTHON" -m sparkwell down || true
  kill "$(cat "$DATA/home/state/daemon.lock")" 2> /dev/null || true
  sleep 3
fi
rm -f "$DATA/home/state/daemon.sock"
setsid "$PYTHON" -m ${SPARKWELL_PROGRAM:-sparkwell} serve \
  > "$DATA/serve.log" 2>&1 < /dev/null &
for _ in $(seq 100); do [ -S "$DATA/home/state/daemon.sock" ] && break; sleep 0.1; done
"$PYTHON" -m ${SPARKWELL_PROGRAM:-sparkwell} up $MODEL --force --no-wait
say "begun"

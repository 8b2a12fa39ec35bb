"""The services of the five guides, option by option: what their YAML says, as facts.

``SERVICES`` has every option of every service; lists and texts are written as YAML would read
them. ``PROSE`` is what the guides say of Ollama, for which they have no YAML.
"""

COMMON: dict[str, object] = {
    "image": "nvcr.io/nvidia/vllm:25.09-py3",
    "restart": "unless-stopped",
    "ports": ["8000:8000"],
    "environment HF_TOKEN": "${HF_TOKEN}",
    "environment HUGGING_FACE_HUB_TOKEN": "${HF_TOKEN}",
    "volumes": ["/opt/hf:/root/.cache/huggingface"],
    "deploy": {
        "resources": {
            "reservations": {
                "devices": [{"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}]
            }
        }
    },
    "command --download-dir": "/root/.cache/huggingface",
    "command --enable-prefix-caching": None,
    "command --trust-remote-code": None,
}
LIMITS: dict[str, object] = {"ipc": "host", "ulimits": {"memlock": -1, "stack": 67108864}}


def flags(context: str, share: str, tokens: str, sequences: str) -> dict[str, object]:
    return {
        "command --max-model-len": context,
        "command --gpu-memory-utilization": share,
        "command --max-num-batched-tokens": tokens,
        "command --max-num-seqs": sequences,
    }


SERVICES: dict[str, dict[str, object]] = {
    "vllm-qwen3-32b-fp8": {
        **COMMON,
        "container_name": "vllm-qwen3-32b-fp8",
        "command": "vllm serve Qwen/Qwen3-32B-FP8",
        **flags("32000", "0.90", "16384", "64"),
        "profiles": ["fp8"],
    },
    "vllm-qwen3-32b": {
        **COMMON,
        "container_name": "vllm-qwen3-32b",
        "command": "vllm serve Qwen/Qwen3-32B",
        **flags("24000", "0.85", "16384", "48"),
    },
    "vllm-qwen3-8b-fp8": {
        **COMMON,
        **LIMITS,
        "container_name": "vllm-qwen3-8b-fp8",
        "command": "vllm serve Qwen/Qwen3-8B-FP8",
        **flags("32768", "0.90", "16384", "64"),
    },
    "vllm-qwen3-30b-a3b-fp8": {
        **COMMON,
        **LIMITS,
        "container_name": "vllm-qwen3-30b-a3b-fp8",
        "command": "vllm serve Qwen/Qwen3-30B-A3B-Instruct-2507-FP8",
        **flags("32768", "0.85", "16384", "64"),
    },
    "vllm-llama33-70b-fp8": {
        **COMMON,
        **LIMITS,
        "container_name": "vllm-llama33-70b-fp8",
        "command": "vllm serve nvidia/Llama-3.3-70B-Instruct-FP8",
        **flags("65536", "0.80", "32768", "32"),
    },
}

PROSE: dict[str, object] = {
    "ports": ["11434:11434"],
    "environment OLLAMA_KEEP_ALIVE": "30m",
    "volumes": ["/opt/ollama:/root/.ollama"],
    "deploy": COMMON["deploy"],
}


def options(service: dict[str, object]) -> dict[str, object]:
    """A service that was read from YAML, in the same form: an independent reading of a command."""
    found = {key: value for key, value in service.items() if key not in ("command", "environment")}
    environment = service.get("environment")
    if isinstance(environment, dict):
        found |= {f"environment {name}": value for name, value in environment.items()}
    command = service.get("command")
    if isinstance(command, list):
        found |= dict(_command(" ".join(map(str, command))))
    return found


def _command(text: str) -> list[tuple[str, object]]:
    program, *rest = text.split(" --")
    named = [each.partition(" ") for each in rest]
    return [
        ("command", program),
        *((f"command --{name}", value or None) for name, _, value in named),
    ]

"""What vLLM's CPU build is told of the machine that it shares with everything else."""


def on_cpu(cores: int | None) -> dict[str, str]:
    """The variables of an engine that computes on the CPU.

    ``cores`` are the physical ones that it may use; one is left to its API server and to Sparkwell.
    None: not known, then vLLM decides for itself.
    """
    return {**_KV_CACHE, **({} if cores is None else _in_one_process(cores))}


def _in_one_process(cores: int) -> dict[str, str]:
    """No worker process: EngineCore would poll for its answers with a whole core.

    On two cores with Linux 6.18 all other processes then waited for seconds, so that streams came
    after their last token. In one process vLLM sets no number of threads; with as many as there
    are cores, which poll for each other, others waited too. Figures: docs/decisions/0030.
    Source: vllm/platforms/cpu.py, distributed/device_communicators/shm_broadcast.py (0.32).
    """
    return {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "OMP_NUM_THREADS": str(max(1, cores - 1))}


# GiB for the KV cache; without it vLLM takes a share of the whole machine.
_KV_CACHE = {"VLLM_CPU_KVCACHE_SPACE": "1"}

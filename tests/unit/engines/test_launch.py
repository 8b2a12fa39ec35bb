"""The command line and the environment of an engine, to the letter."""

import json
import shlex
from dataclasses import replace

import pytest

from sparkwell.catalog import load_catalog
from sparkwell.core.errors import UsageError
from sparkwell.core.launch import Endpoint
from sparkwell.engines.vllm import LaunchRequest, render

CATALOG = load_catalog()
CPU = LaunchRequest(
    recipe=CATALOG.get("demo-qwen3"),
    instance="demo-qwen3-a1",
    endpoint=Endpoint(uds="/run/a1/engine.sock"),
    model="/models/demo/qwen3",
    python="/engines/vllm-cpu/bin/python",
    version="0.32.0",
    device="cpu",
    cache="/cache",
    flags=CATALOG.get("demo-qwen3").serve.flags,
)
CUDA = LaunchRequest(
    recipe=CATALOG.get("qwen3-32b-fp8"),
    instance="qwen3-32b-fp8-b2",
    endpoint=Endpoint(port=8123),
    model="/hub/models--Qwen--Qwen3-32B-FP8/snapshots/abc",
    python="/engines/vllm/bin/python",
    version="0.25.0",
    device="cuda",
    cache="/cache",
    flags=CATALOG.get("qwen3-32b-fp8").serve.flags,
)


def test_the_demo_on_a_cpu() -> None:
    spec = render(CPU)
    assert shlex.join(spec.argv) == (
        "/engines/vllm-cpu/bin/python -m vllm.entrypoints.openai.api_server "
        "--model /models/demo/qwen3 --served-model-name demo-qwen3 --uds /run/a1/engine.sock "
        "--disable-uvicorn-access-log --max-model-len 2048 --max-num-seqs 32 --enforce-eager"
    )


def test_a_model_on_a_gpu_over_a_port() -> None:
    spec = render(CUDA)
    assert shlex.join(spec.argv) == (
        "/engines/vllm/bin/python -m vllm.entrypoints.cli.main serve "
        "/hub/models--Qwen--Qwen3-32B-FP8/snapshots/abc "
        "--served-model-name qwen3-32b-fp8 Qwen/Qwen3-32B-FP8 --host 127.0.0.1 --port 8123 "
        "--disable-uvicorn-access-log --max-model-len 32000 --gpu-memory-utilization 0.85 "
        "--max-num-batched-tokens 8192 --max-num-seqs 64 --enable-prefix-caching"
    )


def test_the_rest_of_the_spec() -> None:
    spec = render(CUDA)
    assert (spec.instance, spec.model) == ("qwen3-32b-fp8-b2", "qwen3-32b-fp8")
    assert (spec.engine, spec.engine_version) == ("vllm", "0.25.0")
    assert spec.endpoint == Endpoint(port=8123)
    assert spec.labels["device"] == "cuda"
    assert json.loads(spec.labels["flags"])["max_model_len"] == 32000


def test_the_environment_keeps_off_the_network() -> None:
    assert render(CUDA).env == {
        "PYTHONUNBUFFERED": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "VLLM_HOST_IP": "127.0.0.1",
        "NO_COLOR": "1",
        "VLLM_CACHE_ROOT": "/cache/vllm",
        "TRITON_CACHE_DIR": "/cache/triton",
        "FLASHINFER_WORKSPACE_BASE": "/cache",
        "TRTLLM_DG_CACHE_DIR": "/cache/tensorrt_llm",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
    }


def test_the_environment_of_a_cpu_bounds_the_kv_cache() -> None:
    assert render(CPU).env == {**render(CUDA).env, "VLLM_CPU_KVCACHE_SPACE": "1"}


@pytest.mark.parametrize(("cores", "threads"), [(1, "1"), (2, "1"), (20, "19")])
def test_on_a_cpu_a_core_is_left_to_all_that_is_not_the_engine(cores: int, threads: str) -> None:
    env = render(replace(CPU, cores=cores)).env
    assert env["OMP_NUM_THREADS"] == threads
    assert env["VLLM_ENABLE_V1_MULTIPROCESSING"] == "0"


def test_a_gpus_engine_decides_on_processes_and_threads_itself() -> None:
    assert render(replace(CUDA, cores=20)).env == render(CUDA).env


def test_the_recipe_may_give_a_cpus_engine_other_threads() -> None:
    serve = CPU.recipe.serve.model_copy(update={"env": {"OMP_NUM_THREADS": "7"}})
    recipe = CPU.recipe.model_copy(update={"serve": serve})
    assert render(replace(CPU, recipe=recipe, cores=4)).env["OMP_NUM_THREADS"] == "7"


def test_online_is_allowed_to_fetch() -> None:
    env = render(replace(CUDA, offline=False)).env
    assert "HF_HUB_OFFLINE" not in env
    assert "TRANSFORMERS_OFFLINE" not in env


def test_the_recipes_environment_wins() -> None:
    serve = CPU.recipe.serve.model_copy(update={"env": {"NO_COLOR": "0", "MORE": "x"}})
    recipe = CPU.recipe.model_copy(update={"serve": serve})
    env = render(replace(CPU, recipe=recipe)).env
    assert (env["NO_COLOR"], env["MORE"]) == ("0", "x")


def test_the_given_flags_are_all_that_is_said() -> None:
    argv = render(replace(CUDA, flags={"max_model_len": 4096, "seed": 7})).argv
    assert argv[argv.index("--max-model-len") :] == ("--max-model-len", "4096", "--seed", "7")
    assert "--max-num-seqs" not in argv


def test_false_is_said_as_no() -> None:
    argv = render(replace(CUDA, flags={"enable_prefix_caching": False, "enforce_eager": True})).argv
    assert "--no-enable-prefix-caching" in argv
    assert "--enable-prefix-caching" not in argv
    assert "False" not in argv
    assert argv[-1] == "--enforce-eager"


def test_a_wrong_flag_names_the_recipe() -> None:
    with pytest.raises(
        UsageError, match=r"^recipe demo-qwen3: vLLM 0.32.0 has no flag 'max_len'\."
    ):
        render(replace(CPU, flags={"max_len": 1}))


def test_nobody_but_the_driver_says_where_to_listen() -> None:
    with pytest.raises(UsageError, match="The flag uds cannot be set"):
        render(replace(CPU, flags={"uds": "/elsewhere"}))


@pytest.mark.parametrize("name", CATALOG.names)
def test_every_recipe_of_the_package_renders(name: str) -> None:
    spec = render(replace(CUDA, recipe=CATALOG.get(name)))
    assert all(isinstance(word, str) and word for word in spec.argv)

"""vLLM in a container: where things lie in it, and that it is the same engine as a process."""

import json
import shlex
from dataclasses import replace
from pathlib import PurePosixPath

import pytest

from sparkwell.catalog import load_catalog
from sparkwell.core.errors import UsageError
from sparkwell.core.launch import Endpoint, Mount
from sparkwell.engines.compose import service_of
from sparkwell.engines.vllm import LaunchRequest, render
from sparkwell.engines.vllm.containers import (
    CACHE,
    ContainerRequest,
    container_spec,
    takes_read_only,
    weights_in,
)

CATALOG = load_catalog()
NGC = "nvcr.io/nvidia/vllm:25.09-py3"
SNAPSHOT = "/opt/hf/models--Qwen--Qwen3-32B-FP8/snapshots/abc"
CUDA = ContainerRequest(
    recipe=CATALOG.get("qwen3-32b-fp8"),
    instance="qwen3-32b-fp8-b2",
    endpoint=Endpoint(port=18001),
    image=NGC,
    version="0.10.1.1",
    device="cuda",
    checkpoint=SNAPSHOT,
    flags={"max_model_len": 32000, "enable_prefix_caching": True},
)
CPU = ContainerRequest(
    recipe=CATALOG.get("demo-qwen3"),
    instance="demo-a1",
    endpoint=Endpoint(port=18002),
    image="local/vllm-cpu:0.32.0",
    version="0.32.0",
    device="cpu",
    checkpoint="/package/demo/qwen3",
    flags=CATALOG.get("demo-qwen3").serve.flags,
    mounts=(Mount("/engines/vllm-cpu", "/opt/engine", read_only=True),),
)


def test_a_model_on_a_gpu() -> None:
    spec = container_spec(CUDA)
    assert shlex.join(spec.argv) == (
        "vllm serve /root/.cache/huggingface/models--Qwen--Qwen3-32B-FP8/snapshots/abc "
        "--served-model-name qwen3-32b-fp8 Qwen/Qwen3-32B-FP8 --host 0.0.0.0 --port 8000 "
        "--disable-uvicorn-access-log --max-model-len 32000 --enable-prefix-caching"
    )
    container = spec.container
    assert container is not None
    assert (container.image, container.name) == (NGC, "sparkwell-qwen3-32b-fp8")
    assert container.mounts == (
        Mount(
            "/opt/hf/models--Qwen--Qwen3-32B-FP8",
            "/root/.cache/huggingface/models--Qwen--Qwen3-32B-FP8",
            read_only=True,
        ),
        Mount("sparkwell-cache", CACHE),
    )
    assert (container.gpus, container.ipc, container.read_only) == (True, "host", False)
    assert container.ulimits == {"memlock": -1, "stack": 67108864}
    assert (spec.stop_grace_s, spec.served_model) == (60.0, None)


def test_the_demo_on_a_cpu() -> None:
    spec = container_spec(CPU)
    container = spec.container
    assert container is not None
    assert spec.argv[:3] == ("vllm", "serve", "/models/demo-qwen3")
    assert container.mounts == (
        Mount("/package/demo/qwen3", "/models/demo-qwen3", read_only=True),
        Mount("sparkwell-cache", CACHE),
        Mount("/engines/vllm-cpu", "/opt/engine", read_only=True),
    )
    assert not container.gpus
    assert container.read_only
    assert container.tmpfs == ("/tmp:exec",)
    assert not container.ulimits


@pytest.mark.parametrize(
    "request_", [CUDA, CPU, replace(CPU, cores=4)], ids=["cuda", "cpu", "cores"]
)
def test_it_is_the_same_engine_as_a_process(request_: ContainerRequest) -> None:
    """Variables, labels and flags are shared; only the folder of the caches is another one."""
    spec = container_spec(request_)
    process = render(
        LaunchRequest(
            recipe=request_.recipe,
            instance=request_.instance,
            endpoint=request_.endpoint,
            model="/m",
            python="/p",
            version=request_.version,
            device=request_.device,
            cache=CACHE,
            flags=request_.flags,
            cores=request_.cores,
        )
    )
    extra = {"CUDA_CACHE_PATH": f"{CACHE}/cuda"} if request_.device == "cuda" else {}
    assert spec.env == {**process.env, **extra}
    assert spec.labels == {**process.labels, "image": request_.image}
    after = spec.argv.index("--disable-uvicorn-access-log")
    assert process.argv[-len(spec.argv) + after :] == spec.argv[after:]


def test_the_projects_image_gets_the_same_command() -> None:
    spec = container_spec(replace(CUDA, image="vllm/vllm-openai:v0.25.0", version="0.25.0"))
    assert spec.argv[:2] == ("vllm", "serve")
    assert spec.container is not None
    assert spec.container.entrypoint == ()
    mapping = service_of(spec, labels={}, logging={}).mapping
    assert mapping["entrypoint"] == []
    assert "entrypoint" not in service_of(container_spec(CUDA), labels={}, logging={}).mapping


@pytest.mark.parametrize(
    ("checkpoint", "source", "cache", "inside"),
    [
        (
            "/opt/hf/models--A--B/snapshots/c",
            "/opt/hf/models--A--B",
            "/root/.cache/huggingface",
            "models--A--B",
        ),
        (
            "/home/me/.cache/huggingface/hub/models--A--B/snapshots/c",
            "/home/me/.cache/huggingface/hub/models--A--B",
            "/root/.cache/huggingface/hub",
            "models--A--B",
        ),
        ("/data/my-model", "/data/my-model", "/models/x", ""),
    ],
)
def test_where_weights_lie(checkpoint: str, source: str, cache: str, inside: str) -> None:
    found = weights_in(checkpoint, "x")
    target = f"{cache}/{inside}".rstrip("/")
    assert found.mount == Mount(source, target, read_only=True)
    assert found.model == target + checkpoint.removeprefix(source)
    assert found.cache == cache


@pytest.mark.parametrize("layout", ["/opt/hf", "/opt/hf/hub"])
def test_a_token_saved_beside_the_weights_is_not_in_the_container(layout: str) -> None:
    mount = weights_in(f"{layout}/models--A--B/snapshots/c", "x").mount
    for saved in ("/opt/hf/token", "/opt/hf/stored_tokens", f"{layout}/models--C--D"):
        assert not PurePosixPath(saved).is_relative_to(mount.source)


def test_without_weights_it_names_the_repository() -> None:
    spec = container_spec(replace(CUDA, checkpoint=None, name="mine"))
    assert spec.argv[2] == "Qwen/Qwen3-32B-FP8"
    assert spec.container is not None
    assert spec.container.name == "mine"
    assert spec.container.mounts == (Mount("sparkwell-cache", CACHE),)


def test_flags_are_checked_for_the_images_version() -> None:
    assert json.loads(container_spec(CUDA).labels["flags"]) == dict(CUDA.flags)
    with pytest.raises(UsageError, match="recipe qwen3-32b-fp8: The flag host cannot be set"):
        container_spec(replace(CUDA, flags={"host": "1.2.3.4"}))


def test_a_closed_file_system_only_where_it_was_tried() -> None:
    assert not takes_read_only(NGC, "cuda")
    assert not takes_read_only("vllm/vllm-openai:v0.25.0", "cuda")
    assert not takes_read_only("me/vllm:1", "cuda")
    assert takes_read_only("me/vllm-cpu:1", "cpu")

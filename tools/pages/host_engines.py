"""Engines on the machine: the images by version of vLLM, and Ollama beside it."""

from collections.abc import Iterator

from pages.data import load, words
from pages.figures import Figures, Json, Model, utilization
from pages.markdown import bullets, code, gib, number, table, text
from sparkwell.core.units import GB
from sparkwell.engines.environments import environment
from sparkwell.engines.vllm import rules_for
from sparkwell.engines.vllm.images import nvidia_versions
from sparkwell.hardware.machine import Machine

IMAGES = (
    "image",
    "vLLM",
    "sees",
    "free memory is",
    "default utilization",
    "FP8 KV cache",
    "what else",
)
BESIDE_GB = (10, 20, 40)
BESIDE_MODELS = ("qwen3-30b-a3b-fp8", "qwen3-32b-fp8", "qwen3-8b-fp8")
BESIDE = "sparkwell plan qwen3-30b-a3b-fp8 --hardware dgx-spark --beside ollama/NAME=20GB"


def images(figures: Figures) -> Iterator[str]:
    """What each image's vLLM does with the memory."""
    yield table(IMAGES, (_image(*image, figures.spark) for image in nvidia_versions().items()))
    yield text(words("host", "images"))
    yield text(words("host", "page_cache", native=environment("vllm").version))


def _image(tag: str, version: str, spark: Machine) -> tuple[str, ...]:
    rules = rules_for(version)
    return (
        f"`nvcr.io/nvidia/vllm:{tag}-py3`",
        version,
        gib(spark.total_for(version)),
        "MemAvailable" if rules.free_memory == "available" else "what CUDA counts",
        f"{rules.default_utilization:.2f}",
        "yes" if rules.fp8_kv_on_gb10 else "no",
        load("host")["images"].get(version, ""),
    )


def ollama(figures: Figures) -> Iterator[str]:
    """What is left for vLLM beside a model of Ollama's."""
    head = ("model", *(f"{size} GB" for size in BESIDE_GB))
    yield text(words("host", "ollama"))
    yield table(head, (_beside(figures.models[name]) for name in BESIDE_MODELS))
    yield code("bash", BESIDE)
    names = ("ollama_context", "ollama_unload", "ollama_state")
    yield bullets(words("host", name) for name in names)


def _beside(model: Model) -> tuple[str, ...]:
    plans = (model.plan(beside_bytes=size * GB) for size in BESIDE_GB)
    return (model.recipe.name, *map(_rest, plans))


def _rest(plan: Json) -> str:
    if "error" in plan or not plan["fits"]:
        return "does not fit"
    tokens = number(plan["memory"]["kv_cache_tokens"])
    return f"utilization {utilization(plan)}, {tokens} KV tokens"

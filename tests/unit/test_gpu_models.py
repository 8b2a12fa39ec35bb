"""The checkpoints that weigh nothing: as large, tensor by tensor, as the recipes say."""

import importlib.util
import json
import sys
from math import prod
from pathlib import Path
from types import ModuleType

import pytest

from sparkwell.catalog.catalog import load_catalog

ROOT = Path(__file__).parents[2] / "benchmarks"
NAMES = ("qwen3-8b-fp8", "qwen3-32b-fp8", "qwen3-32b", "qwen3-30b-a3b-fp8", "llama33-70b-fp8")


def module(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = found
    spec.loader.exec_module(found)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_made_checkpoint_weighs_what_the_recipe_says(name: str) -> None:
    model = module(ROOT / "gateway" / "gpu" / "tensors.py")
    recipe = load_catalog().get(name)
    config = module(ROOT / "speed" / "gpu" / "configs.py").config(recipe)
    sizes = [model.SIZES[kind] * prod(shape) for _, kind, shape in model.tensors(config)]
    assert sum(sizes) == recipe.weights_bytes


def test_folders_for_a_host(tmp_path: Path) -> None:
    configs = module(ROOT / "speed" / "gpu" / "configs.py")
    configs.main(str(tmp_path), "qwen3-30b-a3b-fp8", "llama33-70b-fp8")
    assert (
        tmp_path / "llama33-70b-fp8" / "repo"
    ).read_text() == "nvidia/Llama-3.3-70B-Instruct-FP8"
    config = json.loads((tmp_path / "qwen3-30b-a3b-fp8" / "config.json").read_text())
    assert (config["num_experts"], config["rope_scaling"]) == (128, None)


@pytest.mark.parametrize("name", ["qwen3-8b-fp8", "qwen3-30b-a3b-fp8"])
def test_what_a_checkpoint_has_in_16_bits_the_engine_keeps_so(name: str) -> None:
    """A router in FP8 sent all tokens to the same eight experts: its dummies are next to all 0."""
    model = module(ROOT / "gateway" / "gpu" / "tensors.py")
    config = module(ROOT / "speed" / "gpu" / "configs.py").config(load_catalog().get(name))
    wide = {
        tensor.removesuffix(".weight")
        for tensor, kind, shape in model.tensors(config)
        if kind == "BF16"
        and len(shape) == 2
        and tensor.endswith(".weight")
        and "embed" not in tensor
    }
    assert wide == set(config["quantization_config"]["modules_to_not_convert"])

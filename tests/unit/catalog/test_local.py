"""Folders and GGUF files on this machine, and recipes, as the planner takes them."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from tests.unit.catalog.files import (
    QWEN3_8B_FP8,
    TINY,
    halves,
    header,
    tensor_names,
    write_folder,
    write_gguf,
    write_safetensors,
)
from tests.unit.catalog.test_gguf import metadata, sizes

from sparkwell.catalog import ModelShape, load_catalog
from sparkwell.catalog.catalog import SHIPPED
from sparkwell.catalog.described import Described, describe_recipe
from sparkwell.catalog.families import UnknownArchitectureError
from sparkwell.catalog.local import describe_folder, describe_gguf, describe_path
from sparkwell.catalog.packing import CannotCountError
from sparkwell.core.errors import DocumentError, SparkwellError, UsageError

CATALOG = load_catalog()
DEMO = SHIPPED.parent / "demo"
OWN = {"hf_class": "LlamaForCausalLM", "head_dim": 8, "native_context": 512}
SIZES = {key: value for key, value in TINY.items() if key != "architectures"}
SHAPE = ModelShape.model_validate(SIZES | OWN)
TENSORS = tensor_names(SHAPE)


def complaint(path: Path, kind: type[SparkwellError] = DocumentError) -> str:
    with pytest.raises(kind) as caught:
        describe_path(path)
    assert str(path) in caught.value.message
    return str(caught.value)


def tiny(folder: Path, shards: Any = None, **changes: Any) -> Path:
    files = {"model.safetensors": TENSORS} if shards is None else shards
    return write_folder(folder, TINY | changes, files)


# ── recipes ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("recipe", CATALOG.recipes, ids=lambda recipe: recipe.name)
def test_every_recipe(recipe: Any) -> None:
    found = describe_recipe(recipe)
    assert (found.name, found.repo, found.source) == (recipe.name, recipe.repo, "catalog")
    assert (found.shape, found.quantization) == (recipe.architecture, recipe.quantization)
    assert found.weights_bytes == recipe.weights_bytes
    assert (
        0
        <= found.parts.total - found.parts.rotary_bytes - found.weights_bytes
        < 0.001 * (found.weights_bytes)
    )


@pytest.mark.parametrize("name", ["llama", "qwen3"])
def test_the_demo_models_folder_is_its_recipe(name: str) -> None:
    recipe = describe_recipe(CATALOG.get(f"demo-{name}"))
    folder = describe_folder(DEMO / name)
    assert folder.source == "folder"
    assert (folder.shape, folder.weights_bytes, folder.parts) == (
        recipe.shape,
        recipe.weights_bytes,
        recipe.parts,
    )


# ── folders ─────────────────────────────────────────────────────────────────────────────────


def test_a_folder_with_an_index_is_the_recipe_to_the_byte(tmp_path: Path) -> None:
    """Qwen3-8B-FP8 with 9.4 GB of holes: only headers are read."""
    recipe = CATALOG.get("qwen3-8b-fp8")
    shards = halves(tensor_names(recipe.architecture, "block"))
    folder = write_folder(tmp_path / "My-Qwen", QWEN3_8B_FP8, shards)
    began = time.process_time()
    found = describe_path(folder)
    assert time.process_time() - began < 1
    assert (found.name, found.repo, found.source) == ("My-Qwen", None, "folder")
    assert found.weights_bytes == recipe.weights_bytes
    assert found.parts == describe_recipe(recipe).parts
    assert found.notes == ()


def test_a_single_file(tmp_path: Path) -> None:
    assert describe_folder(tiny(tmp_path)).weights_bytes == 2 * SHAPE.total_parameters


def test_names_can_be_given(tmp_path: Path) -> None:
    found = describe_folder(tiny(tmp_path / "abc123"), name="mine", repo="me/mine")
    assert (found.name, found.repo) == ("mine", "me/mine")


def test_without_weights_the_sizes_count_and_it_is_said(tmp_path: Path) -> None:
    found = describe_folder(tiny(tmp_path, {}))
    assert found.weights_bytes == 2 * SHAPE.total_parameters
    assert found.notes == (
        "Bytes of the weights are computed from config.json: there are no weights in the folder.",
    )


def test_pickles_are_not_read_and_it_is_said(tmp_path: Path) -> None:
    (tiny(tmp_path, {}) / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    (note,) = describe_folder(tmp_path).notes
    assert "the weights are pickle files, which are not read" in note


def test_missing_files_are_said(tmp_path: Path) -> None:
    shards = halves(TENSORS)
    folder = tiny(tmp_path, shards)
    (folder / max(shards)).unlink()
    found = describe_folder(folder)
    assert found.weights_bytes == 2 * SHAPE.total_parameters
    (note,) = found.notes
    assert f"1 of 2 weight files are missing ({max(shards)} first)" in note


def test_what_the_sizes_leave_out_is_said_without_weights_only(tmp_path: Path) -> None:
    more = {"mlp_bias": True}
    without = describe_folder(tiny(tmp_path / "a", {}, **more))
    assert without.notes[-1] == "Not counted exactly: biases of the MLPs."
    assert describe_folder(tiny(tmp_path / "b", **more)).notes == ()


def test_mistrals_second_copy_is_not_counted(tmp_path: Path) -> None:
    folder = tiny(tmp_path)
    write_safetensors(folder / "consolidated.safetensors", TENSORS)
    assert describe_folder(folder).weights_bytes == 2 * SHAPE.total_parameters


def test_a_tensor_in_two_files_counts_once_and_it_is_said(tmp_path: Path) -> None:
    folder = tiny(tmp_path)
    write_safetensors(folder / "more.safetensors", {"model.norm.weight": ("BF16", (64,))})
    found = describe_folder(folder)
    assert found.weights_bytes == 2 * SHAPE.total_parameters
    assert "more than one file count once: 1, model.norm.weight" in found.notes[0]


def test_modelopts_own_file_counts(tmp_path: Path) -> None:
    folder = tiny(tmp_path, {"model.safetensors": tensor_names(SHAPE, "tensor")})
    said = {"quantization": {"quant_algo": "FP8", "kv_cache_quant_algo": "FP8"}}
    (folder / "hf_quant_config.json").write_text(json.dumps(said))
    found = describe_folder(folder)
    assert (found.quantization.method, found.quantization.kv_cache_dtype) == ("modelopt", "fp8")


def test_a_method_that_sizes_cannot_count_needs_the_files(tmp_path: Path) -> None:
    said = {"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}}
    assert describe_folder(tiny(tmp_path / "a", **said)).quantization.method == "bitsandbytes"
    with pytest.raises(CannotCountError):
        describe_folder(tiny(tmp_path / "b", {}, **said))


def test_a_table_of_scaled_positions_is_held(tmp_path: Path) -> None:
    plain = describe_folder(tiny(tmp_path / "a"))
    yarn = {"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}
    scaled = describe_folder(tiny(tmp_path / "b", **yarn))
    assert scaled.shape.extended_context == 2048
    assert scaled.parts.rotary_bytes == 4 * plain.parts.rotary_bytes


# ── folders that are not right ──────────────────────────────────────────────────────────────


def test_no_folder_and_no_config(tmp_path: Path) -> None:
    assert "neither a folder nor a GGUF file" in complaint(tmp_path / "nothing", UsageError)
    assert "has no config.json" in complaint(tmp_path, UsageError)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "it ends after 0 bytes"),
        (header({}, 2**63), "claims 9,223,372,036,854,775,808 bytes"),
        (header({}, 100), "its header has 100 bytes, 2 are there"),
        (b"version https://git-lfs.github.com/spec/v1\n", "its header claims"),
    ],
)
def test_a_weight_file_that_is_not_right(tmp_path: Path, data: bytes, said: str) -> None:
    folder = tiny(tmp_path)
    (folder / "model.safetensors").write_bytes(data)
    found = complaint(folder)
    assert said in found
    assert "model.safetensors" in found


def test_a_download_that_was_cut(tmp_path: Path) -> None:
    folder = tiny(tmp_path)
    file = folder / "model.safetensors"
    with file.open("r+b") as stream:
        stream.truncate(file.stat().st_size - 1)
    said = complaint(folder)
    assert "this safetensors file is cut" in said
    assert "Download the file again." in said


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"num_key_value_heads": 4}, "num_key_value_heads x head_dim is 32, but"),
        ({"head_dim": 16}, "num_key_value_heads x head_dim is 32, but"),
        ({"hidden_size": 128, "head_dim": 8}, "hidden_size is 128, but model.embed_tokens.weight"),
        ({"num_hidden_layers": 3}, "num_hidden_layers is 3, the tensors end with layer 1"),
    ],
)
def test_a_config_that_contradicts_the_tensors(tmp_path: Path, changes: Any, said: str) -> None:
    assert said in complaint(tiny(tmp_path, **changes))


def test_an_index_that_leads_elsewhere(tmp_path: Path) -> None:
    folder = tiny(tmp_path)
    said = {"weight_map": {"a": "../../secret.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(said))
    assert "is not the name of a safetensors file" in complaint(folder)


def test_a_config_of_100_mb_is_not_read(tmp_path: Path) -> None:
    folder = tiny(tmp_path)
    with (folder / "config.json").open("r+b") as stream:
        stream.truncate(100_000_000)
    assert "this file is larger than 10.0 MB" in complaint(folder)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    folder = tiny(tmp_path)
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").symlink_to("model.safetensors")
    assert describe_folder(folder).notes  # a link to nowhere is a missing file
    (folder / "config.json").unlink()
    (folder / "config.json").mkdir()
    assert "has no config.json" in complaint(folder, UsageError)


def test_a_folder_without_rights_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tiny(tmp_path)

    def refuse(path: Path, *more: Any, **options: Any) -> Any:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    said = complaint(folder)
    assert "config.json: this file cannot be read: Permission denied" in said
    monkeypatch.setattr(Path, "stat", refuse)
    assert "this file cannot be read: Permission denied" in complaint(folder)


def test_an_unknown_architecture_is_said(tmp_path: Path) -> None:
    folder = tiny(tmp_path, model_type="deepseek_v3", kv_lora_rank=512)
    assert "latent attention" in complaint(folder, UnknownArchitectureError)


# ── GGUF ────────────────────────────────────────────────────────────────────────────────────


def made(file: Path) -> Path:
    return write_gguf(file, metadata(), sizes())


def test_a_gguf_file(tmp_path: Path) -> None:
    found = describe_path(made(tmp_path / "My-Model-Q4_K_M.gguf"))
    assert isinstance(found, Described)
    assert (found.name, found.source, found.repo) == ("My-Model-Q4_K_M", "gguf", None)
    assert found.quantization.method == "gguf"
    assert found.parts.total == found.weights_bytes > 0


def test_a_folder_with_one_gguf_file(tmp_path: Path) -> None:
    file = made(tmp_path / "only.gguf")
    assert describe_path(tmp_path) == describe_gguf(file)
    made(tmp_path / "another.gguf")
    assert "has no config.json" in complaint(tmp_path, UsageError)


def test_a_gguf_file_in_parts(tmp_path: Path) -> None:
    whole = describe_gguf(made(tmp_path / "whole.gguf"))
    every = list(sizes().items())
    for number, part in ((1, every[:3]), (2, every[3:])):
        meta = metadata() if number == 1 else {"split.no": 1}
        write_gguf(tmp_path / f"m-{number:05}-of-00002.gguf", meta, dict(part))
    for number in (1, 2):
        found = describe_gguf(tmp_path / f"m-{number:05}-of-00002.gguf")
        assert (found.name, found.shape, found.parts) == ("m", whole.shape, whole.parts)
    (tmp_path / "m-00001-of-00002.gguf").unlink()
    said = complaint(tmp_path / "m-00002-of-00002.gguf")
    assert "1 of its 2 parts are missing" in said
    assert "m-00001-of-00002.gguf" in said


def test_a_gguf_file_that_is_none(tmp_path: Path) -> None:
    file = tmp_path / "x.gguf"
    file.write_bytes(b"<html>" * 10)
    assert "this is no GGUF file" in complaint(file)

"""The checkpoints that provoke needs: the demo model, whole and damaged in named ways."""

import json
import shutil
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import sparkwell.catalog

DEMO = Path(sparkwell.catalog.__file__).parent / "demo/qwen3"
Json = dict[str, Any]


def make(name: str, parent: Path) -> Path:
    """The model of that name in a folder of its own, made anew."""
    folder = parent / name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(DEMO, folder)
    MODELS[name](folder)
    return folder


def _whole(_folder: Path) -> None:
    """As it is."""


def _remove(*names: str) -> Callable[[Path], None]:
    def remove(folder: Path) -> None:
        for name in names:
            (folder / name).unlink()

    return remove


def _half_a_config(folder: Path) -> None:
    path = folder / "config.json"
    path.write_text(path.read_text()[:200])


def _configured(**changes: object) -> Callable[[Path], None]:
    """Other values in config.json; None takes a key away."""

    def change(folder: Path) -> None:
        config: Json = json.loads((folder / "config.json").read_text()) | changes
        kept = {key: value for key, value in config.items() if value is not None}
        (folder / "config.json").write_text(json.dumps(kept, indent=2))

    return change


def _cut(folder: Path) -> None:
    """As a copy that was broken off: the header is whole, the last third of the tensors lacks."""
    path = folder / "model.safetensors"
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])


def _begun(folder: Path) -> None:
    """As a download that was broken off within the header."""
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:600])


def _page(folder: Path) -> None:
    """What a cloned repository has where Git LFS was not installed."""
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 4462096\n"
    (folder / "model.safetensors").write_text(pointer)


def _one_shard_of_two(folder: Path) -> None:
    """Two shards in the index, and only the first one in the folder."""
    path = folder / "model.safetensors"
    tensors = _tensors(path.read_bytes())
    names = list(tensors)
    first, second = names[: len(names) // 2], names[len(names) // 2 :]
    shards = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
    weight_map = dict.fromkeys(first, shards[0]) | dict.fromkeys(second, shards[1])
    index = {"metadata": {"total_size": path.stat().st_size}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / shards[0]).write_bytes(_written({name: tensors[name] for name in first}))
    path.unlink()


def _tensors(data: bytes) -> dict[str, tuple[Json, bytes]]:
    """What a safetensors file holds: by name what a tensor is, and its bytes."""
    (size,) = struct.unpack("<Q", data[:8])
    header: Json = json.loads(data[8 : 8 + size])
    header.pop("__metadata__", None)
    body = data[8 + size :]
    return {name: (at, body[slice(*at["data_offsets"])]) for name, at in header.items()}


def _written(tensors: Mapping[str, tuple[Json, bytes]]) -> bytes:
    header, body = {}, b""
    for name, (about, data) in tensors.items():
        header[name] = about | {"data_offsets": [len(body), len(body) + len(data)]}
        body += data
    head = json.dumps(header).encode()
    return struct.pack("<Q", len(head)) + head + body


MODELS: dict[str, Callable[[Path], None]] = {
    "whole": _whole,
    "no-config": _remove("config.json"),
    "broken-config": _half_a_config,
    "no-weights": _remove("model.safetensors"),
    "cut-weights": _cut,
    "begun-weights": _begun,
    "lfs-pointer": _page,
    "one-shard-of-two": _one_shard_of_two,
    "no-tokenizer": _remove("tokenizer.json", "tokenizer_config.json"),
    "own-code": _configured(
        model_type="mymodel", auto_map={"AutoConfig": "configuration_mymodel.MyConfig"}
    ),
    "other-architecture": _configured(architectures=["NoSuchForCausalLM"]),
    "other-type": _configured(model_type="nosuchmodel"),
    "says-fp8": _configured(
        quantization_config={"quant_method": "fp8", "activation_scheme": "dynamic"}
    ),
    "long-context": _configured(max_position_embeddings=4194304),
    "wider": _configured(hidden_size=512),
}

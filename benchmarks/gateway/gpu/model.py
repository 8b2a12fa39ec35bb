"""A checkpoint that weighs nothing: ``model.py CONFIG_FOLDER HF_CACHE REPOSITORY``.

In a Hugging Face cache: the config, a stand-in tokenizer of one word a token, and weights as one
file with holes, whose header names the tensors and whose size is right. For an engine with
load_format=dummy, which reads none of it. Needs tokenizers.
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from tensors import SIZES, tensors
from tokenizers import Tokenizer, models, pre_tokenizers

REVISION = "0" * 40


def main(config: str, cache: str, repository: str) -> None:
    """Write the repository's folder."""
    folder = Path(cache) / ("models--" + repository.replace("/", "--"))
    snapshot = folder / "snapshots" / REVISION
    snapshot.mkdir(parents=True, exist_ok=True)
    (folder / "refs").mkdir(exist_ok=True)
    (folder / "refs" / "main").write_text(REVISION, encoding="utf-8")
    shutil.copy(Path(config) / "config.json", snapshot)
    document = json.loads((snapshot / "config.json").read_text(encoding="utf-8"))
    write_tokenizer(document["vocab_size"], snapshot)
    size = write_weights(document, snapshot / "model.safetensors")
    print(json.dumps({"folder": str(snapshot), "tensor_bytes": size}))


def write_tokenizer(words: int, out: Path) -> None:
    """One word a token: ``t0`` to ``t150000``."""
    vocabulary = {f"t{at}": at for at in range(words)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="t0"))  # noqa: S106 - no password
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(out / "tokenizer.json"))
    about = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": f"t{words - 1}"}
    (out / "tokenizer_config.json").write_text(json.dumps(about), encoding="utf-8")


def write_weights(config: dict[str, Any], out: Path) -> int:
    """Write the header, and holes for the rest; the bytes of all tensors."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, kind, shape in tensors(config):
        size = SIZES[kind]
        for each in shape:
            size *= each
        header[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with out.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + at)
    return at


if __name__ == "__main__":
    main(*sys.argv[1:])

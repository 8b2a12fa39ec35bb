"""model.safetensors.index.json: which files a checkpoint consists of."""

import re
from collections.abc import Iterable

from sparkwell.catalog.json_document import read_object, shortened
from sparkwell.core.errors import DocumentError

INDEX = "model.safetensors.index.json"
MAX_INDEX_BYTES = 100_000_000
MAX_SHARDS = 2000

_FILE = re.compile(r"[\w][\w.+-]{0,200}\.safetensors")


def shards(text: str | bytes, where: str) -> tuple[str, ...]:
    """The names of the files, each once, in order.

    Raises DocumentError. A name with a folder in it is refused: it becomes part of a path.
    """
    names = read_object(text, where).get("weight_map")
    if not isinstance(names, dict) or not names:
        raise DocumentError(f"{where}: weight_map: expected tensors with their files")
    found = list(dict.fromkeys(map(str, names.values())))
    odd = next((name for name in found if not _FILE.fullmatch(name)), None)
    if odd is not None:
        raise DocumentError(f"{where}: {shortened(odd)} is not the name of a safetensors file")
    if len(found) > MAX_SHARDS:
        raise DocumentError(f"{where}: this index names {len(found):,} files")
    return tuple(sorted(found))


def loose_files(names: Iterable[str]) -> tuple[str, ...]:
    """The files of a checkpoint without an index, in order.

    Mistral's repositories hold the weights twice; consolidated*.safetensors is its own layout.
    """
    every = sorted(name for name in names if name.endswith(".safetensors") and "/" not in name)
    return tuple(name for name in every if not name.startswith("consolidated")) or tuple(every)

"""Whether a model is in Ollama's memory, as /api/ps tells it, and what it takes there.

Ollama knows a loaded model by its file: one that is made from another shares its memory, and is
listed under whichever name loaded it first. So both names count, if the context is the same.
"""

from collections.abc import Iterable

from sparkwell.catalog.ollama import parse_ollama
from sparkwell.core.errors import UsageError
from sparkwell.core.launch import LaunchSpec
from sparkwell.engines.ollama.answers import Loaded, read_ps
from sparkwell.engines.ollama.launch import context_of, source_of
from sparkwell.engines.ollama.log import Facts


def key_of(name: str) -> str:
    """Equal for two spellings of one name; a name that is none is only like itself."""
    try:
        return parse_ollama(name).key
    except UsageError:
        return name.lower()


def find_loaded(spec: LaunchSpec, models: Iterable[Loaded]) -> Loaded | None:
    """The entry of a spec's model, under its own name or the one that it is made from.

    Under the latter only with the same context: with another it is somebody else's, and the
    spec's is not in memory. Under its own name any: some versions count that of all requests.
    """
    own, source, wanted = key_of(spec.served_model or ""), source_of(spec).key, context_of(spec)
    for each in models:
        same = each.context_length in (None, wanted)
        if key_of(each.name) == own or (key_of(each.name) == source and same):
            return each
    return None


def is_ready(body: str, spec: LaunchSpec) -> bool:
    """Whether an answer of /api/ps says that the spec's model is loaded, and stays.

    While it loads it is listed too, but only for some minutes: the driver asks for it to be kept
    when it is there.
    """
    try:
        found = find_loaded(spec, read_ps(body))
    except ValueError:
        return False
    return found is not None and found.is_kept


def read_figures(body: str, spec: LaunchSpec) -> Facts:
    """What an answer of /api/ps says of the spec's model: bytes, and tokens of its context."""
    try:
        found = find_loaded(spec, read_ps(body))
    except ValueError:
        return ()
    if found is None:
        return ()
    known = {
        "held_bytes": found.size_bytes,
        "vram_bytes": found.vram_bytes,
        "max_model_len": found.context_length,
    }
    return tuple((name, float(value)) for name, value in known.items() if value is not None)

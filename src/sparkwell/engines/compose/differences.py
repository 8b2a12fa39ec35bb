"""Two services compared option by option: flags, variables, mounts and keys one at a time."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

Flat = dict[str, str]
_ON = "on"


@dataclass(frozen=True, slots=True)
class Difference:
    """An option that a guide's service has otherwise; None on the side that does not have it.

    ``path`` is the key, and the option within it: ``environment HF_TOKEN``, ``command
    --max-num-seqs``. ``correction`` and ``why`` are empty before somebody fills them in.
    """

    path: str
    guide: str | None
    ours: str | None
    correction: str = ""
    why: str = ""


def differences(guide: Mapping[str, object], ours: Mapping[str, object]) -> list[Difference]:
    """What the two mappings of services have otherwise, in the order of the keys."""
    left, right = flat(guide), flat(ours)
    paths = dict.fromkeys([*left, *right])
    return [
        Difference(path, left.get(path), right.get(path))
        for path in paths
        if left.get(path) != right.get(path)
    ]


def flat(service: Mapping[str, object]) -> Flat:
    """A service's mapping as one text for each option."""
    return {path: text for key, value in service.items() for path, text in _options(key, value)}


def _options(key: str, value: object) -> Iterator[tuple[str, str]]:
    if key == "command" and isinstance(value, list):
        yield from _command([str(word) for word in value])
    elif key in ("environment", "ulimits") and isinstance(value, Mapping):
        yield from ((f"{key} {name}", str(text)) for name, text in value.items())
    elif key == "volumes" and isinstance(value, list):
        yield from _volumes([str(mount) for mount in value])
    else:
        yield key, value if isinstance(value, str) else json.dumps(value)


def _command(words: list[str]) -> Iterator[tuple[str, str]]:
    """Flags with their values; what stands before the first flag is the program and the model."""
    first = next((place for place, word in enumerate(words) if word.startswith("--")), len(words))
    yield "command", " ".join(words[:first])
    name, values = "", list[str]()
    for word in words[first:]:
        if word.startswith("--"):
            if name:
                yield f"command {name}", " ".join(values) or _ON
            name, values = word, []
        else:
            values.append(word)
    if name:
        yield f"command {name}", " ".join(values) or _ON


def _volumes(mounts: list[str]) -> Iterator[tuple[str, str]]:
    """By the folder in the container."""
    for mount in mounts:
        source, target, *mode = mount.split(":")
        yield f"volumes {target}", ":".join([source, *mode])

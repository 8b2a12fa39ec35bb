"""Checkpoints that are on this machine already: Hugging Face caches, looked at, never changed."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

INDEX = "model.safetensors.index.json"


def cache_folders(environ: Mapping[str, str], more: Iterable[str] = ()) -> list[Path]:
    """Where weights may lie: the Hub's own variables and defaults, then ``more``.

    Each folder counts in both layouts that are found in the wild: ``models--*`` directly in it
    (vLLM's --download-dir) and below ``hub`` (huggingface_hub's HF_HOME).
    """
    named = environ.get("HF_HUB_CACHE")
    roots = [*([Path(named)] if named else []), *_hub_home(environ), *map(Path, more)]
    return [folder for root in roots for folder in (root, root / "hub")]


def find_checkpoint(repo: str, folders: Iterable[Path], revision: str | None) -> Path | None:
    """The folder of a complete checkpoint of ``repo``, or None.

    Complete means that config.json and every tensor file are there; a download that was cut
    leaves out some of them. A folder that this user may not read counts as not there.
    """
    for folder in folders:
        with suppress(OSError, ValueError):  # not ours to read, or its reference is no text
            for snapshot in _snapshots(folder / f"models--{repo.replace('/', '--')}", revision):
                if is_complete(snapshot):
                    return snapshot
    return None


def is_complete(snapshot: Path) -> bool:
    """Whether config.json and all tensor files of a checkpoint are there, to be read."""
    with suppress(OSError):  # Path.is_file raises where a folder may not be read
        return (snapshot / "config.json").is_file() and _has_tensors(snapshot)
    return False


def user_cache(environ: Mapping[str, str]) -> Path | None:
    """The user's folder for caches; None for a user without a home.

    The XDG specification says: a relative path there is to be ignored.
    """
    named = Path(environ.get("XDG_CACHE_HOME", ""))
    if named.is_absolute():
        return named
    with suppress(RuntimeError):  # no HOME, and no entry in /etc/passwd either
        return Path(environ.get("HOME") or Path.home()) / ".cache"
    return None


def _hub_home(environ: Mapping[str, str]) -> list[Path]:
    named, cache = environ.get("HF_HOME"), user_cache(environ)
    if named:
        return [Path(named)]
    return [cache / "huggingface"] if cache else []


def _has_tensors(snapshot: Path) -> bool:
    index = snapshot / INDEX
    if index.is_file():
        shards = _shards(index)
        return bool(shards) and all((snapshot / name).is_file() for name in shards)
    return any(snapshot.glob("*.safetensors"))


def _snapshots(folder: Path, revision: str | None) -> Iterator[Path]:
    """The snapshot that ``revision`` (default: main) points to, then the newest others."""
    snapshots = folder / "snapshots"
    wanted = revision or "main"
    reference = folder / "refs" / wanted
    commit = reference.read_text().strip() if reference.is_file() else wanted
    yield snapshots / commit
    if revision is None and snapshots.is_dir():
        others = [path for path in snapshots.iterdir() if path.name != commit]
        yield from sorted(others, key=lambda path: path.stat().st_mtime, reverse=True)


def _shards(index: Path) -> set[str]:
    try:
        names = json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
        return {str(name) for name in names}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {"(the index cannot be read)"}

"""Checkpoints that are on this machine already: Hugging Face caches, looked at, never changed."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

INDEX = "model.safetensors.index.json"


def cache_folders(environ: Mapping[str, str], more: Iterable[str] = ()) -> list[Path]:
    """Where weights may lie: the Hub's own variables and defaults, then ``more``.

    Each folder counts in both layouts that are found in the wild: ``models--*`` directly in it
    (vLLM's --download-dir) and below ``hub`` (huggingface_hub's HF_HOME).
    """
    home = Path(environ.get("HF_HOME") or _user_cache(environ) / "huggingface")
    named = environ.get("HF_HUB_CACHE")
    roots = [*([Path(named)] if named else []), home, *(Path(folder) for folder in more)]
    return [folder for root in roots for folder in (root, root / "hub")]


def find_checkpoint(repo: str, folders: Iterable[Path], revision: str | None) -> Path | None:
    """The folder of a complete checkpoint of ``repo``, or None.

    Complete means that config.json and every tensor file are there; a download that was cut
    leaves out some of them.
    """
    for folder in folders:
        for snapshot in _snapshots(folder / f"models--{repo.replace('/', '--')}", revision):
            if is_complete(snapshot):
                return snapshot
    return None


def is_complete(snapshot: Path) -> bool:
    """Whether config.json and all tensor files of a checkpoint are there."""
    if not (snapshot / "config.json").is_file():
        return False
    index = snapshot / INDEX
    if index.is_file():
        return all((snapshot / name).is_file() for name in _shards(index))
    return any(snapshot.glob("*.safetensors"))


def _user_cache(environ: Mapping[str, str]) -> Path:
    home = Path(environ.get("HOME") or Path.home())
    return Path(environ.get("XDG_CACHE_HOME") or home / ".cache")


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
        return set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    except (ValueError, KeyError, AttributeError):
        return {"(the index cannot be read)"}

"""Checkpoints that are on this machine already: Hugging Face caches, looked at, never changed."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

INDEX = "model.safetensors.index.json"
# The folder of the hand-written guides for a DGX Spark, which they mount into their containers.
SHARED = Path("/opt/hf")

# One of these is enough for an engine to know the model's tokens.
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "tekken.json", "vocab.json", "vocab.txt")
_NUMBERED = re.compile(r"(.+)-(\d{5})-of-(\d{5})\.safetensors")


def cache_folders(environ: Mapping[str, str], more: Iterable[str] = ()) -> list[Path]:
    """Where weights may lie: the Hub's own variables and defaults, ``more``, and /opt/hf.

    Each folder counts in both layouts that are found in the wild: ``models--*`` directly in it
    (vLLM's --download-dir) and below ``hub`` (huggingface_hub's HF_HOME).
    """
    named = environ.get("HF_HUB_CACHE") or environ.get("HUGGINGFACE_HUB_CACHE")
    shared = [SHARED] if SHARED.is_dir() else []
    roots = [*([Path(named)] if named else []), *hub_home(environ), *map(Path, more), *shared]
    return list(dict.fromkeys(folder for root in roots for folder in (root, root / "hub")))


def repo_folder(folder: Path, repo: str) -> Path:
    """The folder of a repository in a cache folder, by the Hub's own naming."""
    return folder / f"models--{repo.replace('/', '--')}"


def find_checkpoint(repo: str, folders: Iterable[Path], revision: str | None) -> Path | None:
    """The folder of a complete checkpoint of ``repo``, or None.

    Complete means that nothing of what ``lacking`` names is missing; a download that was cut
    leaves out some of it. A folder that this user may not read counts as not there.
    """
    for folder in folders:
        with suppress(OSError, ValueError):  # not ours to read, or its reference is no text
            for snapshot in _snapshots(repo_folder(folder, repo), revision):
                if is_complete(snapshot):
                    return snapshot
    return None


def is_complete(snapshot: Path) -> bool:
    """Whether a checkpoint has all that an engine needs, to be read."""
    with suppress(OSError):  # Path.is_file raises where a folder may not be read
        return not lacking(snapshot)
    return False


def lacking(snapshot: Path) -> tuple[str, ...]:
    """What a checkpoint lacks to be loaded, as file names or in words; nothing: it is complete.

    A link whose target is gone counts as not there. Sizes are compared where huggingface_hub
    noted them (``trees/COMMIT.json``). Raises OSError for a folder that may not be read.
    """
    wanted = ["config.json", *_tensor_files(snapshot)]
    missing = [name for name in wanted if not (snapshot / name).is_file()]
    if not _has_tokenizer(snapshot):
        missing.append("a tokenizer")
    return (*missing, *_of_wrong_size(snapshot))


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


def hub_home(environ: Mapping[str, str]) -> list[Path]:
    """HF_HOME or its default, in which ``hub`` and the saved token lie; none without a home."""
    named, cache = environ.get("HF_HOME"), user_cache(environ)
    if named:
        return [Path(named)]
    return [cache / "huggingface"] if cache else []


def _tensor_files(snapshot: Path) -> list[str]:
    """The tensor files that there have to be, by the index or by their own numbers."""
    index = snapshot / INDEX
    if index.is_file():
        return _shards(index) or ["the tensor files of an empty index"]
    names = sorted(path.name for path in snapshot.glob("*.safetensors"))
    return sorted({each for name in names for each in _series(name)}) or ["model.safetensors"]


def _series(name: str) -> list[str]:
    """All files of a series of which one is ``model-00002-of-00004.safetensors``."""
    found = _NUMBERED.fullmatch(name)
    if not found:
        return [name]
    stem, count = found[1], found[3]
    return [f"{stem}-{number:05}-of-{count}.safetensors" for number in range(1, int(count) + 1)]


def _has_tokenizer(snapshot: Path) -> bool:
    named = any((snapshot / name).is_file() for name in _TOKENIZERS)
    return named or any(path.is_file() for path in snapshot.glob("*.tiktoken"))


def _of_wrong_size(snapshot: Path) -> list[str]:
    noted = snapshot.parent.parent / "trees" / f"{snapshot.name}.json"
    try:
        files = json.loads(noted.read_text(encoding="utf-8"))["files"]
        sizes = {name: int(about.get("lfs_size", about["size"])) for name, about in files.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []
    there = {name: snapshot / name for name in sizes if (snapshot / name).is_file()}
    return [name for name, path in there.items() if path.stat().st_size != sizes[name]]


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


def _shards(index: Path) -> list[str]:
    try:
        names = json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
        return sorted({str(name) for name in names})
    except (ValueError, KeyError, TypeError, AttributeError):
        return ["(the index cannot be read)"]

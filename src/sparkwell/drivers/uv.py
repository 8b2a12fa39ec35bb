"""uv, which makes environments and fills them: where it is, and how it has to be called."""

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from sparkwell.core.errors import EnvironmentFault
from sparkwell.drivers.hub import user_cache


def with_wheel_folder(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment with pip's folder of wheels told to uv, which does not read pip's."""
    folder = environ.get("UV_FIND_LINKS") or environ.get("PIP_FIND_LINKS")
    return {**environ, **({"UV_FIND_LINKS": folder} if folder else {})}


def find_uv(environ: Mapping[str, str]) -> str:
    """The program uv: named by UV, beside this Python, or on PATH; raises EnvironmentFault."""
    beside = Path(sys.executable).parent / "uv"
    candidates = [environ.get("UV", ""), str(beside), shutil.which("uv") or ""]
    for candidate in candidates:
        if candidate and os.access(candidate, os.X_OK):
            return candidate
    raise EnvironmentFault(
        "The tool uv is needed to install engines, and is not there.",
        hint="Install it with `pip install 'sparkwell[engines]'`.",
    )


def venv_arguments(folder: Path) -> list[str]:
    """Relocatable, because the environment is moved into place; with this very Python."""
    python = getattr(sys, "_base_executable", None) or sys.executable
    options = ["--relocatable", "--allow-existing", "--no-project", "--quiet"]
    return ["venv", *options, "--python", python, str(folder)]


def link_mode(root: Path, environ: Mapping[str, str]) -> str:
    """Hard links from uv's cache save space, but only work within one file system."""
    cache = _cache(environ)
    try:
        same = cache is not None and _device(cache) == _device(root)
    except OSError:
        same = False
    return "hardlink" if same else "copy"


def _cache(environ: Mapping[str, str]) -> Path | None:
    """Where uv keeps its downloads; None where it has no home for them."""
    named, cache = environ.get("UV_CACHE_DIR"), user_cache(environ)
    if named:
        return Path(named).absolute()
    return cache / "uv" if cache else None


def _device(folder: Path) -> int:
    """The file system that holds the folder, or will hold it when it is made."""
    there = next(place for place in (folder, *folder.parents) if place.exists())
    return there.stat().st_dev


def torch_source(backend: str, environ: Mapping[str, str]) -> list[str]:
    """PyTorch's own index for its CPU build, unless a folder of wheels has it already."""
    folder = environ.get("UV_FIND_LINKS", "")
    if folder and list(Path(folder).glob("torch-*+cpu-*.whl")):
        return []
    return ["--torch-backend", backend]

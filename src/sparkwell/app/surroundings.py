"""Variables that a daemon took from the shell it was started in, compared without telling them.

A token that is exported later, or a DOCKER_HOST that is unset, does not reach a daemon that runs.
"""

import hashlib
import secrets
from collections.abc import Mapping
from typing import Any

WATCHED = (
    "HF_TOKEN",
    "HUGGING_FACE_HUB_TOKEN",
    "HF_ENDPOINT",
    "HF_HOME",
    "HF_HUB_CACHE",
    "HF_HUB_OFFLINE",
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
)


def seal(environ: Mapping[str, str]) -> dict[str, Any]:
    """What can be compared with, and says nothing by itself: a digest of each, with salt."""
    salt = secrets.token_hex(16)
    return {"salt": salt, "digests": _digests(environ, salt)}


def differing(environ: Mapping[str, str], sealed: Mapping[str, Any]) -> list[str]:
    """The variables that are otherwise here than where the seal was made."""
    here = _digests(environ, str(sealed["salt"]))
    there: Mapping[str, str] = sealed["digests"]
    return [name for name in WATCHED if here.get(name) != there.get(name)]


def _digests(environ: Mapping[str, str], salt: str) -> dict[str, str]:
    return {
        name: hashlib.sha256(f"{salt}{environ[name]}".encode()).hexdigest()
        for name in WATCHED
        if environ.get(name)
    }

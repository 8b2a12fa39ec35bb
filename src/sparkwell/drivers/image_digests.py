"""Digests of images that this host's Docker has, asked for politely: no Docker is no error."""

import json
import subprocess
from functools import cache

TIMEOUT_S = 3.0


@cache
def local_digest(image: str) -> str | None:
    """The registry's digest ("sha256:…") of an image that is here and came from a registry."""
    words = ["docker", "image", "inspect", "--format", "{{json .RepoDigests}}", image]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return read_digest(done.stdout, image) if done.returncode == 0 else None


def read_digest(text: str, image: str) -> str | None:
    """The digest of the image's own repository among those that Docker printed."""
    try:
        names = json.loads(text) or []
    except ValueError:
        return None
    repository = _repository(image)
    pairs = (str(name).partition("@") for name in names)
    return next((digest for name, _, digest in pairs if _repository(name) == repository), None)


def _repository(image: str) -> str:
    """Without tag and digest, and without the registry that Docker fills in."""
    name = image.partition("@")[0].removeprefix("docker.io/").removeprefix("library/")
    head, colon, tag = name.rpartition(":")
    return head if colon and "/" not in tag else name

"""Digests of images on this host: read from what Docker prints; without Docker there are none."""

from pathlib import Path

import pytest

from sparkwell.drivers.image_digests import local_digest, read_digest

A, B = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"


@pytest.fixture(autouse=True)
def _forget() -> None:
    local_digest.cache_clear()


@pytest.mark.parametrize(
    ("printed", "image", "digest"),
    [
        (f'["nvcr.io/nvidia/vllm@{A}"]', "nvcr.io/nvidia/vllm:25.09-py3", A),
        (f'["mirror/vllm@{B}", "vllm/vllm-openai@{A}"]', "docker.io/vllm/vllm-openai:v0.25.0", A),
        (f'["registry:5000/vllm@{A}"]', "registry:5000/vllm", A),
        (f'["mirror/vllm@{B}"]', "vllm/vllm-openai:v0.25.0", None),
        ("[]", "local:1", None),
        ("null", "local:1", None),
        ("", "local:1", None),
    ],
)
def test_the_digest_of_the_images_own_repository(
    printed: str, image: str, digest: str | None
) -> None:
    assert read_digest(printed, image) == digest


def program(folder: Path, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    file = folder / "docker"
    file.write_text(f"#!/bin/sh\n{body}\n")
    file.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_docker_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, f"echo '[\"me/vllm@{A}\"]'", monkeypatch)
    assert local_digest("me/vllm:1") == A


@pytest.mark.parametrize("body", ["exit 1", "exec sleep 60"])
def test_a_docker_that_fails_or_hangs_says_nothing(
    body: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sparkwell.drivers.image_digests.TIMEOUT_S", 0.2)
    program(tmp_path, body, monkeypatch)
    assert local_digest("me/vllm:1") is None


def test_without_docker_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert local_digest("me/vllm:1") is None

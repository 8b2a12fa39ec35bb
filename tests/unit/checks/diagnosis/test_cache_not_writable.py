"""Caches that cannot be written."""

import pytest
from tests.unit.checks.diagnosis.ask import asked

from sparkwell.checks.diagnosis.downloads.not_writable import CHECK
from sparkwell.core.findings import Severity

DENIED = "PermissionError: [Errno 13] Permission denied: '{}'"


@pytest.mark.parametrize(
    ("path", "folder"),
    [
        ("/opt/hf/hub/models--a--b/blobs", "/opt/hf/hub"),
        ("/opt/hf/hub/version.txt", "/opt/hf/hub"),
        ("/home/u/.cache/vllm/torch_compile_cache", "/home/u/.cache/vllm/torch_compile_cache"),
        ("/home/u/.triton", "/home/u/.triton"),
    ],
)
def test_the_folder_becomes_this_users_own(path: str, folder: str) -> None:
    [finding] = asked(CHECK, DENIED.format(path))
    assert finding.title == f"{path} cannot be written"
    assert f"chown \"$USER\" '{folder}'" in (finding.remedies[1].command or "")


def test_the_hubs_own_word_for_it() -> None:
    line = "OSError: PermissionError at /opt/hf/hub/.locks when downloading Qwen/Qwen3-8B. Check"
    [finding] = asked(CHECK, line)
    assert finding.title == "/opt/hf/hub/.locks cannot be written"


def test_of_a_shared_cache_only_this_models_files_change_hands() -> None:
    [finding] = asked(CHECK, DENIED.format("/opt/hf/hub/models--a--b/blobs/0af3"))
    recursive = [each.command for each in finding.remedies if "chown -R" in (each.command or "")]
    assert recursive == ["sudo chown -R \"$USER\" '/opt/hf/hub/models--a--b'"]


def test_a_path_of_a_container_is_not_changed_on_the_host() -> None:
    [finding] = asked(CHECK, DENIED.format("/root/.cache/huggingface/hub/models--a--b/blobs"))
    assert "docker inspect" in (finding.remedies[0].command or "")
    assert all("/root" not in (each.command or "") for each in finding.remedies)


def test_a_read_only_mount_is_no_matter_of_rights() -> None:
    [finding] = asked(CHECK, "OSError: [Errno 30] Read-only file system: '/opt/hf/hub'")
    assert finding.remedies[0].command == "findmnt -T '/opt/hf/hub'"


def test_an_engine_that_goes_on_without_is_warned() -> None:
    line = "There was a problem when trying to write in your cache folder (/root/.cache/hub). You"
    [finding] = asked(CHECK, line)
    assert finding.severity is Severity.WARNING


@pytest.mark.parametrize(
    "line",
    [
        DENIED.format("/dev/nvidia0"),
        "Ignored error while caching commit hash for 'a/b': [Errno 30] Read-only file system: '/h'",
        DENIED.format("/proc/1/environ"),
        "PermissionError: [Errno 13] error while attempting to bind on address ('0.0.0.0', 80)",
    ],
)
def test_devices_and_ports_are_no_cache(line: str) -> None:
    assert asked(CHECK, line) == []

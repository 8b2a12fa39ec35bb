"""Disks that are full."""

from dataclasses import replace

import pytest
from tests.unit.checks.diagnosis.ask import asked, of_log

from sparkwell.checks.diagnosis.downloads.disk_full import CHECK
from sparkwell.checks.host_parts import Folder
from sparkwell.core.findings import Severity

FULL = "OSError: [Errno 28] No space left on device"
SHORT = (
    "UserWarning: Not enough free disk space to download the file. The expected file size is: "
    "4932.15 MB. The target location /opt/hf/hub/blobs only has 812.40 MB free disk space."
)


def test_a_full_disk_is_an_error_with_what_is_free_now() -> None:
    snapshot = replace(of_log(FULL), folders=(Folder("cache", "/opt/hf", True, True, 10**9),))
    [finding] = CHECK.look(snapshot)
    assert finding.severity is Severity.ERROR
    assert finding.evidence[-1] == "/opt/hf: 1.0 GB free now"
    assert all("prune" not in (each.command or "") for each in finding.remedies)


@pytest.mark.parametrize(
    ("file", "folder"),
    [
        ("/data/hub/models--A--B/blobs/4f.incomplete", "/data/hub"),
        ("/scratch/graph.so", "/scratch"),
        ("/x'; rm -rf y", None),
    ],
)
def test_the_folder_that_the_line_names_is_looked_at(file: str, folder: str | None) -> None:
    [finding] = asked(CHECK, f"{FULL}: '{file}'")
    commands = [each.command or "" for each in finding.remedies]
    assert (f"du -xsh '{folder}'/* | sort -h" in commands) == (folder is not None)
    assert not any("rm -rf" in each for each in commands)


def test_a_download_that_feared_it_is_a_warning() -> None:
    [finding] = asked(CHECK, SHORT)
    assert finding.severity is Severity.WARNING
    assert finding.title == "A file of 4.9 GB is downloaded where 812.4 MB are free"


def test_fear_and_failure_are_one_finding() -> None:
    [finding] = asked(CHECK, f"{SHORT}\n{FULL}")
    assert finding.severity is Severity.ERROR


@pytest.mark.parametrize(
    "log",
    [
        f"{FULL}: '/psm_4f21'",
        "unable to write to file </torch_123_4>: No space left on device (28)",
        f'  File "/usr/lib/python3.12/multiprocessing/shared_memory.py", line 130\n    x\n{FULL}',
        "NCCL WARN Error while creating /dev/shm/nccl-a: No space left on device",
    ],
)
def test_shared_memory_is_no_disk(log: str) -> None:
    assert asked(CHECK, log) == []

"""Every start that became ready is stored; that it cannot be never harms the start."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sparkwell.app.daemon.recording import Recorder
from sparkwell.catalog import load_catalog
from sparkwell.core.errors import EnvironmentFault
from sparkwell.core.launch import Endpoint, LaunchSpec
from sparkwell.core.units import GIB
from sparkwell.hardware.description import find_machine
from sparkwell.hardware.machine import Machine
from sparkwell.store import Starts, open_database

LABELS = {"device": "cuda", "flags": json.dumps({"max_num_seqs": 64})}
SPEC = LaunchSpec("i-1", "qwen3-32b", "vllm", "0.25.0", (), Endpoint(port=1), labels=LABELS)
KIND = ("dgx-spark, 121.7 GiB", "qwen3-32b", "vllm", "0.25.0")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_database(tmp_path / "s.db")) as connection:
        yield connection


def recorder(database: sqlite3.Connection) -> Recorder:
    return Recorder(
        Starts(database),
        load_catalog(),
        machine=lambda: find_machine("dgx-spark"),
        now=lambda: 7.0,
    )


async def test_a_start_is_stored_with_its_machine_and_repository(
    database: sqlite3.Connection,
) -> None:
    await recorder(database)(SPEC, {"weights_gib": 61.0, "kv_cache_gib": 30.5})
    [record] = Starts(database).like(*KIND)
    assert (record.repo, record.at) == ("Qwen/Qwen3-32B", 7.0)
    assert (record.weights_bytes, record.kv_cache_bytes) == (61 * GIB, 30.5 * GIB)


async def test_a_start_without_figures_is_not(database: sqlite3.Connection) -> None:
    await recorder(database)(SPEC, {"load_s": 3.0})
    assert Starts(database).like(*KIND) == ()


async def test_a_full_disk_is_a_warning(
    database: sqlite3.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    database.execute(
        "CREATE TRIGGER full BEFORE INSERT ON starts "
        "BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
    )
    await recorder(database)(SPEC, {"weights_gib": 61.0})
    assert caplog.messages == ["What this start took is not remembered: the disk is full"]


async def test_a_machine_that_cannot_be_told_is_a_warning(
    database: sqlite3.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    def unknown() -> Machine:
        raise EnvironmentFault("The memory of this machine cannot be read.")

    unlucky = Recorder(Starts(database), load_catalog(), machine=unknown)
    await unlucky(SPEC, {"weights_gib": 61.0})
    assert "The memory of this machine cannot be read" in caplog.text

"""What is collected of a host without a request: cache, memory, settings, versions, logs."""

import os
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from tests.unit.doctor.folders import ended_instance

from sparkwell.checks.docker_parts import Docker
from sparkwell.checks.logs.digest import digest
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.launch import Endpoint, ExitRecord, LaunchSpec
from sparkwell.doctor.cache import look_at_caches
from sparkwell.doctor.collect import collect
from sparkwell.doctor.memory_history import MOST, memory_of_last_hour
from sparkwell.doctor.processes import left_over
from sparkwell.doctor.run_logs import of_run, read_run_log
from sparkwell.doctor.scope import Scope
from sparkwell.doctor.settings_text import LONGEST, settings_text
from sparkwell.doctor.versions import versions_of
from sparkwell.store.series import Series
from sparkwell.store.series_names import MACHINE, Point
from sparkwell.testing.memory_driver import MemoryDriver

TOKEN = "hf_" + "Zq7" * 11 + "x"
SPEC = LaunchSpec("m-1", "m", "vllm", "0.25.0", ("true",), Endpoint(uds="/s"))


async def test_a_host_without_a_request(tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text(f"gateway: {{port: 8000}}\nhf_token: {TOKEN}\n")
    blobs = tmp_path / "hub" / "models--a--b" / "blobs"
    blobs.mkdir(parents=True)
    (blobs / "x.incomplete").write_bytes(b"12")
    scope = Scope(
        environ={"PATH": os.environ["PATH"]},
        state=tmp_path,
        caches=(tmp_path / "hub", tmp_path / "nowhere"),
        weights_folder=tmp_path / "hub",
        metrics=tmp_path / "metrics.db",
        settings=tmp_path / "settings.yaml",
        versions=(("engine vllm", "0.25.0"),),
    )
    found = await collect(scope)
    assert (found.request, found.gaps) == (None, ())
    assert [Path(each.path).name for each in found.partials or ()] == ["x.incomplete"]
    assert [each.role for each in found.folders or ()][:2] == ["cache", "state"]
    assert found.memory
    assert found.memory[-1].available_bytes
    assert found.settings == "gateway: {port: 8000}\nhf_token: …\n"
    assert dict(found.versions)["engine vllm"] == "0.25.0"
    assert dict(found.versions)["kernel"] == os.uname().release


async def test_a_folder_in_the_place_of_the_settings(tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").mkdir()
    found = await collect(Scope(environ={}, settings=tmp_path / "settings.yaml"))
    assert (found.settings, found.gaps) == (None, ())  # a folder is no settings file


# ── memory ──────────────────────────────────────────────────────────────────────────────────


def test_the_last_hour_and_now(tmp_path: Path) -> None:
    file, now = tmp_path / "metrics.db", time.time()
    with closing(Series(file)) as series:
        for ago, available in ((4000, 1.0), (1800, 5e9), (10, 7e9)):
            values = {"available_bytes": available, "swap_used_bytes": 3.0, "memory_stalled": 0.5}
            series.add(now - ago, [Point(MACHINE, values)])
    *past, last = memory_of_last_hour(file, now)
    assert [each.available_bytes for each in past] == [5_000_000_000, 7_000_000_000]
    assert (past[0].swap_used_bytes, past[0].pressure) == (3, 0.5)
    assert past[0].at == pytest.approx(now - 1800, abs=20)
    assert last.at >= now


def test_the_lowest_of_an_interval_counts(tmp_path: Path) -> None:
    file, now = tmp_path / "metrics.db", time.time()
    with closing(Series(file)) as series:
        for number in range(700):
            low = 1e9 if number == 333 else 9e9
            series.add(now - 3599 + 5 * number, [Point(MACHINE, {"available_bytes": low})])
    readings = memory_of_last_hour(file, now)
    assert len(readings) <= MOST + 1
    assert min(each.available_bytes or 0 for each in readings[:-1]) == 1_000_000_000


@pytest.mark.parametrize("content", [None, b"", b"no database at all, and longer than its header"])
def test_without_a_history_there_is_this_moment(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "metrics.db"
    if content is not None:
        file.write_bytes(content)
    assert len(memory_of_last_hour(file, time.time())) == 1
    assert [each.name for each in tmp_path.iterdir()] == ([] if content is None else [file.name])


# ── settings, versions, cache ───────────────────────────────────────────────────────────────


def test_settings_without_what_is_secret(tmp_path: Path) -> None:
    file = tmp_path / "sparkwell.yaml"
    assert settings_text(file) is None
    file.write_text(f"url: https://me:secret@host/x\n# {TOKEN}\nfolders: {{models: /home/me/hf}}\n")
    text = settings_text(file) or ""
    assert "secret" not in text
    assert "Zq7" not in text
    assert "/home/me/hf" in text  # paths matter
    file.write_text("x" * (LONGEST + 5))
    assert len(settings_text(file) or "") == LONGEST


def test_versions_that_are_known() -> None:
    snapshot = Snapshot(0.0, "1.2", docker=Docker(server_version="27.1"))
    known = dict(versions_of(snapshot))
    assert (known["sparkwell"], known["docker"]) == ("1.2", "27.1")
    assert "nvidia driver" not in known


def test_a_cache_that_may_not_be_read_has_no_partials(tmp_path: Path) -> None:
    (tmp_path / "models--a--b").write_text("a file")
    assert look_at_caches([tmp_path, tmp_path, tmp_path / "x"]) == ()


# ── logs of runs ────────────────────────────────────────────────────────────────────────────


class Driver(MemoryDriver):
    """One run: its log is a file, or what the driver says."""

    def __init__(self, log: Path) -> None:
        super().__init__()
        self.log = log

    def log_path(self, _instance: str) -> str:
        return str(self.log)

    async def written(self, _instance: str) -> tuple[list[str], list[str]]:
        return ["of a container"], ["its rest"]


async def test_a_log_is_read_through_its_rotation(tmp_path: Path) -> None:
    log = tmp_path / "engine.log"
    log.write_text("newest\n")
    (tmp_path / "engine.log.1").write_text("middle\n")
    (tmp_path / "engine.log.2").write_text(f"oldest {TOKEN}\n")
    found = await read_run_log(Driver(log), SPEC, 5.0)
    assert [line.words for line in found.lines] == ["oldest hf_…", "middle", "newest"]
    assert (found.source, found.instance, found.model) == ("m-1", "m-1", "m")


async def test_a_container_that_lives_is_asked(tmp_path: Path) -> None:
    found = await read_run_log(Driver(tmp_path / "none.log"), SPEC, 5.0)
    assert [line.words for line in found.lines] == ["of a container", "its rest"]


def test_the_log_knows_its_version_better_than_the_run() -> None:
    said = "(APIServer pid=1) INFO 11-12 10:00:00 [a.py:1] vLLM API server version 0.10.2"
    assert of_run(digest([said], "m-1"), SPEC).version == "0.10.2"
    bare = of_run(digest(["nothing"], "m-1"), SPEC)
    assert (bare.version, bare.engine) == ("0.25.0", "vllm")
    other = replace(SPEC, engine="fake")
    assert of_run(digest(["nothing"], "m-1"), other).engine is None


# ── what an ended run left ──────────────────────────────────────────────────────────────────


def test_a_process_of_an_ended_run_is_left_over(tmp_path: Path) -> None:
    me = psutil.Process().pid
    ended_instance(tmp_path, SPEC, me, ExitRecord(1, None, False, 5.0))
    assert left_over(tmp_path) == {me: "m"}
    ended_instance(tmp_path, SPEC, me, ExitRecord(1, None, False, 5.0), ticks=1)
    assert left_over(tmp_path) == {}  # its number is another process's by now
    assert left_over(tmp_path / "nowhere") == {}

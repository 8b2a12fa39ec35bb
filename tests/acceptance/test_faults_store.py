"""The real daemon over a full disk and over a broken file: it serves, and says so."""

import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.acceptance.conftest import Home, end, wait_for
from tests.acceptance.switching_clients import answered, ask
from tests.acceptance.switching_home import (
    engines,
    events,
    kill_daemon,
    one_engine_each,
    open_intents,
    rows,
    script_each,
    serve,
    server_of,
    taking_turns,
    told,
    until_state,
)

QWEN, LLAMA = "demo-qwen3", "demo-llama"
DISK_MIB = 12
SMALL = 4_000_000


@pytest.fixture
def small_disk(home: Home) -> Iterator[Path]:
    """The state folder on a disk of 12 MiB."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    home.paths.state.mkdir(parents=True, exist_ok=True)
    words = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", str(home.paths.state)]
    if subprocess.run(words, capture_output=True, check=False).returncode != 0:
        pytest.skip("this machine does not allow mounting")
    yield home.paths.state
    home.clean_up()
    subprocess.run(["umount", "-l", str(home.paths.state)], check=True)


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Not a byte is left, not even in the last file."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            try:
                while file.write(b"x" * size) == size:
                    pass
            except OSError:
                continue
    yield
    filler.unlink()


def test_a_disk_that_fills_up_stops_no_answer_and_ends_no_engine_for_nothing(
    home: Home, small_disk: Path
) -> None:
    """What could not be started is refused before anybody leaves for it."""
    taking_turns(home)
    daemon = serve(home, small_disk=SMALL)
    home.ok("up", QWEN)
    with full(small_disk):
        refused = ask(home, LLAMA).done(30)
        forced = home.run("up", LLAMA, "--force")
        answered(home, QWEN)
        wait_for(lambda: "remembered in memory alone" in told(home, "store.degraded"))
    assert forced.returncode == 2
    assert "No space left on device" in forced.stderr
    assert refused.status == 503
    assert f"{home.paths.state} has 0 B free, and a start needs" in refused.fault["message"]
    assert events(home, "switch.begin", "instance.stopping") == []
    home.ok("down", LLAMA)  # what failed is forgiven
    answered(home, LLAMA)
    answered(home, QWEN)
    wait_for(lambda: "nothing is lost" in told(home, "store.restored"), 25)
    assert end(daemon) == 0
    kinds = [kind for (kind,) in rows(home, "SELECT kind FROM events ORDER BY seq")]
    assert kinds.count("store.degraded") == 1
    assert kinds.count("switch.done") == 2  # what happened meanwhile, too
    assert open_intents(home) == []


def test_an_engine_that_dies_on_a_full_disk_comes_back_when_there_is_space(
    home: Home, small_disk: Path
) -> None:
    daemon = serve(home, small_disk=SMALL)
    home.ok("up", QWEN)
    with full(small_disk):
        server_of(home, QWEN).kill()
        until_state(home, QWEN, "failed")
        refused = ask(home, QWEN).done(30)
        assert refused.status == 503
    home.ok("up", QWEN)
    answered(home, QWEN)
    one_engine_each(home)
    assert end(daemon) == 0


def test_a_daemon_that_begins_on_a_full_disk_adopts_and_serves(
    home: Home, small_disk: Path
) -> None:
    serve(home, small_disk=SMALL)
    home.ok("up", QWEN)
    before = engines(home)
    kill_daemon(home)
    with full(small_disk):
        again = serve(home)
        until_state(home, QWEN, "ready")
        answered(home, QWEN)
        assert engines(home) == before
        assert "remembered in memory alone" in told(home, "store.degraded")
    assert end(again) == 0


@pytest.mark.parametrize("damage", ["no database", "torn pages"])
def test_a_broken_store_is_kept_aside_said_and_started_anew(home: Home, damage: str) -> None:
    serve(home)
    home.ok("up", QWEN)
    kill_daemon(home)
    broken = break_it(home.paths.store, damage)
    serve(home)
    until_state(home, QWEN, "ready")
    answered(home, QWEN)
    (renewed,) = events(home, "store.renewed")
    (kept,) = [p for p in home.paths.state.glob("sparkwell.db.broken-*") if p.suffix != ".wal"]
    assert kept.read_bytes()[: len(broken)] == broken
    assert str(kept) in renewed["message"]
    assert ".recover" in renewed["message"]
    assert str(kept) in home.ok("events")
    with closing(sqlite3.connect(home.paths.store)) as anew:
        assert anew.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    one_engine_each(home)


def break_it(file: Path, damage: str) -> bytes:
    """Damage a store's file, its log gone too; what it is now."""
    for part in ("-wal", "-shm"):
        file.with_name(file.name + part).unlink(missing_ok=True)
    data = file.read_bytes()
    whole = b"This is no database. " * 500
    torn = data[:100] + os.urandom(len(data) - 100)
    file.write_bytes(whole if damage == "no database" else torn)
    return file.read_bytes()


def test_a_store_that_breaks_while_the_daemon_runs(home: Home) -> None:
    """Written over in place, as a bad disk does: the daemon goes on, and the next one says so."""
    taking_turns(home)
    script_each(home)
    serve(home)
    home.ok("up", QWEN)
    damage_in_place(home.paths.store)
    server_of(home, QWEN).kill()
    answered(home, QWEN)
    answered(home, LLAMA)
    kill_daemon(home)
    serve(home)
    until_state(home, LLAMA, "ready")
    assert told(home, "store.renewed")
    one_engine_each(home)


def damage_in_place(file: Path) -> None:
    with file.open("r+b") as opened:
        size = opened.seek(0, os.SEEK_END)
        opened.seek(0)
        opened.write(os.urandom(size))
    with file.with_name(f"{file.name}-wal").open("r+b") as log:
        log.truncate(0)

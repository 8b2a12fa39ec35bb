"""Logs as the command shows them: nothing lost, nothing twice, also of a run without a word."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from sparkwell.app.paths import find_paths
from sparkwell.cli import logs
from sparkwell.cli.context import Context
from sparkwell.cli.main import cli
from sparkwell.core.errors import UsageError
from sparkwell.core.launch import Endpoint, LaunchSpec
from sparkwell.drivers.process import ProcessDriver
from sparkwell.drivers.process.records import spec_to_json
from sparkwell.store import BreakerRow, Store

SPEC = LaunchSpec("demo-qwen3-1", "demo-qwen3", "vllm", "0", ("true",), Endpoint(uds="/s"))
Show = Callable[..., list[str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a run that has ended."""
    folder = tmp_path / "state" / "instances" / SPEC.instance
    folder.mkdir(parents=True)
    (folder / "launch.json").write_text(json.dumps({"spec": spec_to_json(SPEC)}))
    (folder / "exit.json").write_text(json.dumps({"code": 1, "ended_at": 1.0}))
    return folder


@pytest.fixture
def show(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Show:
    context = Context({"SPARKWELL_HOME": str(tmp_path)}, None, (), system=False)

    def shown(*, follow: bool = False, **wish: Any) -> list[str]:
        asyncio.run(logs._show(context, "demo-qwen3", follow, logs.Wish(**wish)))
        return capsys.readouterr().out.splitlines()

    return shown


@pytest.mark.parametrize("follow", [False, True])
@pytest.mark.parametrize("tail", [None, 0, 3])
def test_a_run_that_never_wrote_has_an_empty_log(
    show: Show, follow: bool, tail: int | None
) -> None:
    assert show(follow=follow, tail=tail) == []


@pytest.mark.parametrize("follow", [False, True])
@pytest.mark.parametrize(
    ("tail", "lines"),
    [(None, ["1", "2", "3", "4"]), (0, []), (3, ["2", "3", "4"]), (9, ["1", "2", "3", "4"])],
)
def test_the_last_lines(
    show: Show, folder: Path, follow: bool, tail: int | None, lines: list[str]
) -> None:
    (folder / "engine.log.1").write_bytes(b"1\n2\r\n")
    (folder / "engine.log").write_bytes(b"3\r4\n")
    assert show(follow=follow, tail=tail) == lines


def test_a_last_line_without_an_end(show: Show, folder: Path) -> None:
    (folder / "engine.log").write_bytes(b"1\n2")
    assert show(tail=1) == ["2"]
    assert show(follow=True)[-1] == "2"


MIXED = """INFO 1
ERROR: one
Traceback (most recent call last):
  File "a.py", line 1
ValueError: two
INFO 2
ERROR: three
"""


@pytest.mark.parametrize("follow", [False, True])
@pytest.mark.parametrize(
    ("wish", "lines"),
    [
        ({"grep": "INFO"}, ["INFO 1", "INFO 2"]),
        ({"grep": "INFO", "tail": 1}, ["INFO 2"]),
        ({"errors": True, "tail": 2}, ["ValueError: two", "ERROR: three"]),
        ({"errors": True, "grep": "t.o$"}, ["ValueError: two"]),
        ({"grep": "nowhere", "tail": 9}, []),
    ],
)
def test_chosen_lines_and_the_last_of_them(
    show: Show, folder: Path, follow: bool, wish: dict[str, Any], lines: list[str]
) -> None:
    (folder / "engine.log").write_text(MIXED)
    assert show(follow=follow, **wish) == lines


def test_a_bad_pattern_is_said_before_anything_is_read(home: Path) -> None:
    done = CliRunner().invoke(cli, ["logs", "demo-qwen3", "--grep", "*"])
    assert isinstance(done.exception, UsageError)
    assert "'*' is no regular expression" in done.exception.message


def test_what_is_written_between_looking_and_following_is_shown(
    show: Show, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = folder / "engine.log"
    log.write_text("1\n2\n3\n")
    follow = ProcessDriver.follow

    def later(
        driver: ProcessDriver, instance: str, *, from_start: bool = True
    ) -> AsyncIterator[str]:
        with log.open("a") as more:
            more.write("4\n5\n")
        return follow(driver, instance, from_start=from_start)

    monkeypatch.setattr(ProcessDriver, "follow", later)
    assert show(follow=True, tail=1) == ["3", "4", "5"]


def test_an_id_in_place_of_a_model_shows_that_run(folder: Path, home: Path) -> None:
    """After a crash the model's newest run is the one that came back."""
    (folder / "engine.log").write_text("why\n")
    newer = folder.with_name("demo-qwen3-2")
    newer.mkdir()
    spec = replace(SPEC, instance=newer.name)
    (newer / "launch.json").write_text(json.dumps({"spec": spec_to_json(spec)}))
    (newer / "exit.json").write_text(json.dumps({"code": 0, "ended_at": 2.0}))
    assert CliRunner().invoke(cli, ["logs", "demo-qwen3"]).stdout == ""
    assert CliRunner().invoke(cli, ["logs", SPEC.instance]).stdout == "why\n"


# ── the first failure ───────────────────────────────────────────────────────────────────────


def test_the_first_failure_is_kept_when_its_run_is_pruned(home: Path) -> None:
    with closing(Store(find_paths({"SPARKWELL_HOME": str(home)}).store)) as store:
        first = BreakerRow("demo-qwen3", 1, 0.0, "no token", "demo-qwen3-1", ("first", "words"))
        store.breakers.save(first)
        store.breakers.save(replace(first, failures=2, first_reason="echo", first_lines=("x",)))
    done = CliRunner().invoke(cli, ["logs", "demo-qwen3", "--first-failure", "-n", "1"])
    assert (done.exit_code, done.stdout) == (0, "words\n")
    assert "failed 2 times in a row. The first was demo-qwen3-1: no token." in done.stderr


def test_nothing_is_held_against_a_model_that_is_well(home: Path) -> None:
    done = CliRunner().invoke(cli, ["logs", "demo-qwen3", "--first-failure"])
    assert isinstance(done.exception, UsageError)
    assert "Nothing is held against demo-qwen3" in done.exception.message
    assert "sparkwell events --model demo-qwen3" in str(done.exception.hint)
    assert not (home / "state" / "sparkwell.db").exists()  # looking makes nothing


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "state").mkdir(exist_ok=True)
    monkeypatch.setenv("SPARKWELL_HOME", str(tmp_path))
    return tmp_path

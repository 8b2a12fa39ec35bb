"""Logs as the command shows them: nothing lost, nothing twice, also of a run without a word."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from sparkwell.cli import logs
from sparkwell.cli.context import Context
from sparkwell.core.launch import Endpoint, LaunchSpec
from sparkwell.drivers.process import ProcessDriver
from sparkwell.drivers.process.records import spec_to_json

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

    def shown(*, follow: bool = False, tail: int | None = None) -> list[str]:
        asyncio.run(logs._show(context, "demo-qwen3", follow, tail))
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

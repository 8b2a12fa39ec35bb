"""The steps of `sparkwell verify` where terminal, pipe or somebody else come in between."""

import asyncio
import io
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop
from tests.unit.app.verifying.parts import MODEL, bench, gathered, plan

from sparkwell.app.launching.ways import Way
from sparkwell.app.verifying.files import read
from sparkwell.app.verifying.gathered import Step
from sparkwell.app.verifying.scrub import Private
from sparkwell.catalog import load_catalog
from sparkwell.cli.bringing_up import Begun
from sparkwell.cli.context import Context
from sparkwell.cli.stopping import until_stopped
from sparkwell.cli.verify import work as verify_work
from sparkwell.cli.verify.asked import check
from sparkwell.cli.verify.command import _told
from sparkwell.cli.verify.session import Session, Wish
from sparkwell.cli.verify.steps import _take
from sparkwell.core.errors import UsageError

RECIPE = load_catalog().get(MODEL)


def context(folder: Path) -> Context:
    return Context({"HOME": str(folder), "PATH": ""}, None, (), system=False)


@pytest.fixture
def session(tmp_path: Path) -> Session:
    found = gathered(plan(), bench(plan()))
    return Session(context(tmp_path), Wish(RECIPE, "guide", 1), found)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


class Broken(io.StringIO):
    """A pipe that nobody reads any more."""

    def write(self, _text: str) -> int:
        raise BrokenPipeError(32, "Broken pipe")


def latin_1() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding="latin-1")


# ── who reads it is gone ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("stream", [Broken(), latin_1()])
def test_words_on_the_way_are_no_reason_to_end(
    session: Session, stream: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.found.model = "a…"
    monkeypatch.setattr(sys, "stderr", stream)
    session.say("down")


def test_a_reader_that_the_same_ctrl_c_has_ended_makes_no_failure(session: Session) -> None:
    def interrupted(_session: Session) -> None:
        try:
            raise KeyboardInterrupt
        finally:
            Broken().write("the last words")

    def broken(_session: Session) -> None:
        Broken().write("words")

    _take(session, "bench", interrupted)
    _take(session, "doctor", broken)
    assert [each.state for each in session.found.steps] == ["stopped", "failed"]


def told(folder: Path, file: Path) -> None:
    found = gathered(plan(), bench(plan()), Step("up", "failed", 1.0, "it ended with …"))
    _told(context(folder), RECIPE, found, Private(), file, rows=False, as_json=False)


def test_a_pipe_that_is_gone_leaves_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", Broken())
    with pytest.raises(BrokenPipeError):
        told(tmp_path, tmp_path / "a.json")
    assert read(tmp_path / "a.json")["model"] == MODEL


def test_a_terminal_without_the_sign_shows_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = latin_1()
    monkeypatch.setattr(sys, "stdout", stream)
    told(tmp_path, tmp_path / "a.json")
    assert read(tmp_path / "a.json")["model"] == MODEL
    assert b"it ended with ?" in stream.buffer.getvalue()  # type: ignore[attr-defined]


# ── the terminal's end ──────────────────────────────────────────────────────────────────────


def hang_up(_session: Session) -> None:
    os.kill(os.getpid(), signal.SIGHUP)


@pytest.mark.parametrize(("step", "state"), [("doctor", "stopped"), ("down", "done")])
def test_the_terminals_end_ends_a_step_but_not_the_last(
    session: Session, step: str, state: str
) -> None:
    signal.signal(signal.SIGHUP, lambda *_of_what: pytest.fail("this would have been the end"))
    _take(session, step, hang_up)
    assert session.found.steps[-1].state == state


def test_under_nohup_it_goes_on(session: Session) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    _take(session, "doctor", hang_up)
    assert session.found.steps[-1].state == "done"


async def _nothing() -> None:
    """Measured at once."""


async def _hung_up() -> None:
    os.kill(os.getpid(), signal.SIGHUP)
    await asyncio.sleep(60)


def test_a_measurement_leaves_the_signals_as_they_were() -> None:
    for each in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.default_int_handler)
    uvloop.run(until_stopped(_nothing()))
    with pytest.raises(KeyboardInterrupt):
        uvloop.run(until_stopped(_hung_up()))
    for each in (signal.SIGTERM, signal.SIGHUP):
        assert signal.getsignal(each) is signal.default_int_handler


# ── what is ours ────────────────────────────────────────────────────────────────────────────


class Daemon:
    """One that has these models, and notes what it is asked for."""

    asked: list[str]

    def __init__(self, *models: str) -> None:
        self.models, self.asked = list(models), []

    async def __aenter__(self) -> "Daemon":
        return self

    async def __aexit__(self, *_of_what: object) -> None:
        """Nothing to close."""

    async def get(self, _path: str) -> dict[str, Any]:
        return {"instances": [{"model": each, "state": "ready"} for each in self.models]}

    async def post(self, path: str, body: dict[str, Any]) -> None:
        self.asked.append(path)
        if path == "down":
            self.models.remove(body["model"])


OURS, THEIRS = Begun(daemon=True, models=(MODEL,)), Begun()


@pytest.mark.parametrize(
    ("begun", "there", "status", "asked"),
    [
        (OURS, (MODEL,), None, ["down", "shutdown"]),
        (OURS, (MODEL, "other"), None, ["down"]),
        (OURS, (MODEL,), {"instances": []}, ["down"]),
        (Begun(models=(MODEL,)), (MODEL,), None, ["down"]),
        (Begun(daemon=True), (), None, ["shutdown"]),
        (Begun(daemon=True), (MODEL,), None, []),
        (THEIRS, (MODEL,), None, []),
    ],
)
def test_only_what_was_begun_here_is_ended(
    session: Session,
    begun: Begun,
    there: tuple[str, ...],
    status: Any,
    asked: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    daemon = Daemon(*there)
    monkeypatch.setattr(verify_work, "AdminClient", lambda _paths: daemon)
    session.begun, session.status = begun, status
    verify_work.down(session)
    assert daemon.asked == asked


# ── before anything begins ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("suite", "profile", "said"),
    [("mixed", None, "requests come when they come"), ("guide", "tuned-latency", "was not tuned")],
)
def test_what_cannot_be_judged_is_refused(
    tmp_path: Path, suite: str, profile: str | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    way = Way("0.25.0", "cuda", image="vllm/vllm-openai:v0.25.0")
    monkeypatch.setattr("sparkwell.cli.verify.asked._way", lambda *_of_what: way)
    with pytest.raises(UsageError, match=said):
        check(context(tmp_path), Wish(RECIPE, suite, 1, profile=profile), None)

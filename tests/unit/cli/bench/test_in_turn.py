"""Variants one after the other: what fails is told, what came is shown, the rest is measured."""

import os
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from sparkwell.cli.alone import alone_here
from sparkwell.cli.bench import in_turn
from sparkwell.cli.bench.variants import _wanted
from sparkwell.cli.bringing_up import Wanted
from sparkwell.cli.context import Context
from sparkwell.core.errors import EnvironmentFault, NotReadyError, UsageError

NAMES = ("a", "b", "c")
WANTED = {name: Wanted(("m",), (f"max_num_seqs={name}",)) for name in NAMES}


class Stage:
    """The world of `one_after_the_other`: what it starts and measures, and what it puts back."""

    def __init__(self, patch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        self.started: list[str] = []
        self.brought_back = 0
        self.fails: dict[str, BaseException] = {}
        self.context = cast(
            "Context", SimpleNamespace(paths=SimpleNamespace(tunings=tmp_path / "tunings"))
        )
        patch.setattr(in_turn, "alone", self._nothing)
        patch.setattr(in_turn, "earlier", self._nothing)
        patch.setattr(in_turn, "_anew", self._start)
        patch.setattr(in_turn, "subject_of", self._nothing)
        patch.setattr(in_turn, "_measure", self._measure)
        patch.setattr(in_turn, "bring_back", self._bring_back)

    def go(self) -> dict[str, Any]:
        return dict(
            in_turn.one_after_the_other(self.context, WANTED, cast("Any", None), quiet=True)
        )

    async def _nothing(self, *_of_what: object) -> None: ...

    async def _start(self, _context: object, wanted: Wanted, **_how: object) -> None:
        self.started.append(wanted.flags[0][-1])

    def _measure(self, *of_what: Any, **_how: object) -> None:
        name = self.started[-1]
        if name in self.fails:
            raise self.fails[name]
        of_what[3]({"run": name})

    def _bring_back(self, *_of_what: object) -> None:
        self.brought_back += 1


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Stage:
    return Stage(monkeypatch, tmp_path)


def test_all_are_measured_in_their_order_and_the_model_is_put_back(stage: Stage) -> None:
    assert list(stage.go()) == ["a", "b", "c"]
    assert stage.brought_back == 1


@pytest.mark.parametrize(
    "error", [NotReadyError("It died."), UsageError("Too many."), EnvironmentFault("Disk full.")]
)
def test_one_that_cannot_be_measured_is_told_and_the_others_are(
    stage: Stage, error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.fails["b"] = error
    assert list(stage.go()) == ["a", "c"]
    assert f"b: {error}" in capsys.readouterr().err
    assert stage.brought_back == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_whatever_ends_a_start_the_model_is_put_back(
    stage: Stage, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGHUP)}

    async def ended(*_of_what: object, **_how: object) -> None:
        os.kill(os.getpid(), number)

    monkeypatch.setattr(in_turn, "_anew", ended)
    with pytest.raises(KeyboardInterrupt):
        stage.go()
    assert stage.brought_back == 1
    assert {each: signal.getsignal(each) for each in before} == before


@pytest.mark.parametrize("full", [False, True])
def test_a_run_is_called_kept_only_where_it_is(
    full: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def measured(found: Any, *_of_what: object, **_how: object) -> None:
        found.repeats[0] = []

    folder = tmp_path / "benchmarks"
    if full:
        folder.write_text("no folder")
    monkeypatch.setattr(in_turn, "measure_into", measured)
    monkeypatch.setattr("sparkwell.app.benching.run_document", lambda *_of_what: {"run": "r"})
    context = cast("Context", SimpleNamespace(paths=SimpleNamespace(benchmarks=folder)))
    got: list[Any] = []
    try:
        in_turn._measure(context, cast("Any", None), cast("Any", None), got.append, quiet=False)
    except EnvironmentFault:
        assert full
    assert got == [{"run": "r"}], "it can be shown, kept or not"
    assert ("Kept as the run r." in capsys.readouterr().err) is not full


def test_a_second_one_beside_it_is_refused(stage: Stage) -> None:
    with alone_here(stage.context.paths.tunings), pytest.raises(Exception, match="Another"):
        stage.go()
    assert stage.started == []


@pytest.mark.parametrize(
    ("words", "profile", "flags"),
    [
        ("balanced", "balanced", ()),
        ("max_num_seqs=2  kv_cache_dtype=fp8", None, ("max_num_seqs=2", "kv_cache_dtype=fp8")),
        ('guide speculative_config={"method": "ngram", "a": true} max_num_seqs=2', "guide",
         ('speculative_config={"method": "ngram", "a": true}', "max_num_seqs=2")),
    ],
)  # fmt: skip
def test_a_variant_is_a_profile_flags_or_both(
    words: str, profile: str | None, flags: tuple[str, ...]
) -> None:
    found = _wanted("m", [words, "latency"])
    assert found[words] == Wanted(("m",), flags, profile)

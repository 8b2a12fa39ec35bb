"""Starts that nobody named, with what a person had given the last one."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from unittest.mock import Mock

import pytest
from tests.unit.app.daemon.test_host import Bench as HostBench
from tests.unit.app.daemon.test_host import Ollama

from sparkwell.app.daemon.on_demand import OTHERS, OnDemandStarts
from sparkwell.app.daemon.seen import Seen
from sparkwell.app.daemon.terms import TermsMaker
from sparkwell.app.launching.flags import StartWish
from sparkwell.app.launching.starter import (
    DRIVER,
    FORCE,
    IMAGE,
    PROFILE,
    SET,
    Start,
    Starter,
    given_labels,
    wish_of,
)
from sparkwell.app.served import Served
from sparkwell.app.settings.config import Settings
from sparkwell.catalog.recipe import FlagValue
from sparkwell.core.errors import ConflictError, NotReadyError, UnknownModelError, UsageError
from sparkwell.core.launch import HELD, Endpoint, LaunchSpec
from sparkwell.core.units import GIB
from sparkwell.store import History, open_database

NOT_HERE = NotReadyError("It is not on this machine.", hint="Pull it.")


class Asked(Ollama):
    """Notes what it was asked for, in order."""

    def __init__(self, refusal: NotReadyError | None = None) -> None:
        self.calls: list[tuple[str, object]] = []
        self.refusal = refusal

    async def held_bytes(self, _served: Served, flags: Mapping[str, FlagValue]) -> int | None:
        self.calls.append(("held_bytes", dict(flags)))
        return 5

    async def must_be_here(self, _served: Served) -> None:
        self.calls.append(("must_be_here", None))
        if self.refusal:
            raise self.refusal

    def start(self, _served: Served, wish: StartWish, _given: Mapping[str, str]) -> Start:
        self.calls.append(("start", dict(wish.beside)))
        raise UsageError("far enough")

    async def tidy(self, _running: Sequence[str]) -> None:
        raise AssertionError("nothing ends")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[HostBench]:
    with closing(open_database(tmp_path / "s.db")) as database:
        yield HostBench(tmp_path, History(database), Settings())


def on_demand(bench: HostBench, ollama: Ollama | None = None) -> OnDemandStarts:
    if ollama:
        object.__setattr__(bench.host._starter, "ollama", ollama)
    starts = OnDemandStarts(bench.host._starter, TermsMaker(bench.models, lambda *_of_what: {}))
    starts.seen = Seen(bench.models, bench.supervisor)
    return starts


async def test_a_start_has_the_flags_of_the_last_one(bench: HostBench) -> None:
    before = {SET: '["max_num_seqs=4"]', PROFILE: "", FORCE: "1", "flags": "{}"}
    prepare, provide = await on_demand(bench).start("demo-qwen3", before, {})
    spec = prepare("i")
    assert spec.argv[spec.argv.index("--max-num-seqs") + 1] == "4"
    assert json.loads(spec.labels[SET]) == ["max_num_seqs=4"]
    assert spec.labels[FORCE] == ""  # a person forces one start, not all that follow
    assert spec.held_bytes
    made = await provide(lambda _mark: None)
    assert (made.instance, made.argv) == ("i", spec.argv)


async def test_a_model_that_never_ran_starts_as_usual(bench: HostBench) -> None:
    nothing: Mapping[str, str] = {}
    for before in (None, nothing):
        prepare, _ = await on_demand(bench).start("demo-qwen3", before, {})
        assert json.loads(prepare("i").labels[SET]) == []


async def test_what_is_not_in_the_catalog_is_not_started(bench: HostBench) -> None:
    with pytest.raises(UnknownModelError):
        await on_demand(bench).start("gone", None, {})


async def test_before_there_is_a_daemon_nothing_starts(bench: HostBench) -> None:
    starts = on_demand(bench)
    starts.seen = None
    with pytest.raises(NotReadyError, match="has not begun yet"):
        await starts.start("demo-qwen3", None, {})


async def test_a_model_of_ollama_is_sized_and_looked_for_first(bench: HostBench) -> None:
    ollama = Asked()
    before = {SET: '["num_ctx=512"]'}
    with pytest.raises(UsageError, match="far enough"):
        await on_demand(bench, ollama).start("ollama/llama3.2", before, {"a": 7})
    assert ollama.calls == [
        ("held_bytes", {"num_ctx": 512}),
        ("must_be_here", None),
        ("start", {"a": 7}),
    ]


async def test_a_model_of_ollama_is_not_downloaded_for_a_request(bench: HostBench) -> None:
    ollama = Asked(NOT_HERE)
    with pytest.raises(NotReadyError, match="not on this machine"):
        await on_demand(bench, ollama).start("ollama/llama3.2", None, {})
    assert ollama.calls[-1] == ("must_be_here", None)


async def test_terms_of_what_was_found_running(bench: HostBench) -> None:
    spec = LaunchSpec("i", "demo-qwen3", "vllm", "1", (), Endpoint(uds="/x"), labels={HELD: "7"})
    terms = on_demand(bench).terms(spec, kept=True)
    assert (terms.least_bytes, terms.idle_s) == (7, None)
    assert on_demand(bench).terms(spec, kept=False).idle_s == 1800


async def test_an_engine_that_the_catalog_has_lost_keeps_no_daemon_from_beginning(
    bench: HostBench,
) -> None:
    starts = on_demand(bench)
    lost = LaunchSpec("i", "gone", "vllm", "1", (), Endpoint(uds="/x"), labels={HELD: "7"})
    assert starts.terms(lost, kept=True).least_bytes == 7
    starts.seen = None
    assert starts.terms(lost, kept=True).least_bytes == 7


# ── labels and back ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "wish",
    [
        StartWish(),
        StartWish(flags={"max_num_seqs": 4, "enforce_eager": False, "dtype": "bfloat16"}),
        StartWish(profile="latency", driver="compose", image="x/y:1"),
    ],
)
def test_a_wish_is_read_back_out_of_its_labels(wish: StartWish) -> None:
    assert wish_of(given_labels(wish)) == wish
    assert given_labels(wish_of(given_labels(wish))) == given_labels(wish)
    beside = {"a": 7}
    assert wish_of(given_labels(wish), beside).beside == beside


def test_force_is_said_each_time() -> None:
    assert given_labels(StartWish(force=True))[FORCE] == "1"
    assert not wish_of(given_labels(StartWish(force=True))).force


def test_labels_of_an_engine_of_another_make_say_nothing() -> None:
    assert wish_of({}) == StartWish()
    assert wish_of({DRIVER: "", IMAGE: "", SET: ""}) == StartWish()


@pytest.mark.parametrize("beside", [{}, {"a": 20 * GIB}])
async def test_a_start_takes_no_more_than_the_box_has_given_it(
    bench: HostBench, monkeypatch: pytest.MonkeyPatch, beside: dict[str, int]
) -> None:
    """Others that were asked for, or that come back after it, are to fit beside it."""
    wishes: list[StartWish] = []
    starts = on_demand(bench)
    total = starts._terms.budget.total_bytes
    assert total is not None
    free = total - sum(beside.values())

    def start(_starter: Starter, _served: Served, wish: StartWish, _given: object) -> Start:
        wishes.append(wish)
        raise UsageError("far enough")

    monkeypatch.setattr(Starter, "start", start)
    for given in (GIB, None, free):
        coming = Mock(held_bytes=given)
        monkeypatch.setattr(bench.supervisor, "of", Mock(return_value=coming))
        with pytest.raises(UsageError, match="far enough"):
            await starts.start("demo-qwen3", None, beside)
    room = [total - sum(each.beside.values()) for each in wishes]
    assert room == [GIB, free, free]


async def test_one_that_no_plan_makes_so_small_starts_beside_the_others(
    bench: HostBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What its engine needs may have grown since; the box sees whether there is room."""
    starts = on_demand(bench)
    asked: list[Mapping[str, int]] = []

    def start(_starter: Starter, _served: Served, wish: StartWish, _given: object) -> Start:
        asked.append(wish.beside)
        raise ConflictError("It does not fit.")

    monkeypatch.setattr(Starter, "start", start)
    for held in (1, None):
        monkeypatch.setattr(bench.supervisor, "of", Mock(return_value=Mock(held_bytes=held)))
        with pytest.raises(ConflictError):
            await starts.start("demo-qwen3", None, {"a": 7})
    assert [list(each) for each in asked] == [["a", OTHERS], ["a"], ["a"]]

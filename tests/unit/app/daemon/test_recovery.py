"""A new daemon finishes what the last one had begun, or puts back what was there."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.supervisor.switching_bench import Bench as Switching
from tests.unit.supervisor.test_actor import turns, until

from sparkwell.app.daemon.coming_back import Back, leavings
from sparkwell.app.daemon.recovery import BOOT_ID, Recovery, read_boot_id
from sparkwell.app.daemon.remembering import KEPT
from sparkwell.core.errors import EnvironmentFault, UnknownModelError
from sparkwell.core.launch import BACK_END, HELD
from sparkwell.store import BreakerRow, Resident, Store
from sparkwell.supervisor import deeds
from sparkwell.supervisor.box import State
from sparkwell.supervisor.breaker import FAILURES_TO_OPEN, Breaker
from sparkwell.supervisor.messages import Tick
from sparkwell.supervisor.terms import Terms

GONE = "gone-from-the-catalog"


class Bench(Switching):
    """A new daemon over the store of an earlier one; ``termed`` says for whom terms were made."""

    def __init__(self, store: Store, breakers: Sequence[Breaker] = ()) -> None:
        super().__init__(breakers=breakers)
        self.store = store
        self.termed: list[tuple[str, Mapping[str, str], bool]] = []

    def leave(self, name: str, model: str) -> None:
        """The earlier daemon left this engine running."""
        self.driver.leave(self.spec(name, model))

    async def begins(self, *, boot: str | None = "now", restore: bool = True) -> None:
        left = self.store.intents.open()
        recovery = Recovery(
            self.store, self.supervisor, self.journal, self.terms_of, left, boot, restore
        )
        await recovery.take_over()
        await recovery.finish()
        assert self.store.intents.open() == []

    def terms_of(self, model: str, labels: Mapping[str, str], kept: bool) -> Terms:
        if model == GONE:
            raise UnknownModelError(f"There is no model {model!r}.")
        self.termed.append((model, labels, kept))
        return self.terms(model)

    def failures(self, model: str) -> int:
        breaker = self.supervisor.box.breaker(model)
        return breaker.failures if breaker else 0

    def pause_is_over(self, model: str, *, told: bool = True) -> None:
        breaker = self.supervisor.box.breaker(model)
        assert breaker is not None
        box = self.supervisor.box.with_breaker(replace(breaker, not_before=0.0))
        self.supervisor._box = box
        if told:
            self.supervisor._apply(Tick())

    @property
    def said(self) -> list[str]:
        return [
            event.message.partition(": ")[2] or event.message
            for event in self.journal.after(0)
            if event.kind.startswith("recovery.")
        ]

    @property
    def coming(self) -> dict[str, bool]:
        """Who is on the way, or is to be, and whether a person wants it."""
        box = self.supervisor.box
        starting = {each.model: each.kept for each in box.instances if each.state is State.STARTING}
        return {**starting, **{each.model: each.kept for each in box.comebacks}}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path / "s.db")) as store:
        yield store


@pytest.fixture
async def bench(store: Store) -> AsyncIterator[Bench]:
    bench = Bench(store)
    yield bench
    await bench.supervisor.close()


def switching(store: Store, to: str, **wishes: Mapping[str, object]) -> None:
    """The earlier daemon was killed in this switch."""
    data = {"from": list(wishes), "to": to, "wishes": wishes}
    store.intents.begin("switch", to, None, data)


KEPT_A = {"kept": True, "labels": {"set": '["max_num_seqs=4"]'}}
ASKED_A: Mapping[str, object] = {"kept": False, "labels": {}}


# ── starts, sleep, wake ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ["start", "sleep", "wake"])
async def test_an_engine_that_lives_was_taken_over(bench: Bench, kind: str) -> None:
    bench.store.intents.begin(kind, "a", "old")
    bench.leave("old", "a")
    await bench.begins()
    assert bench.said == ["taken over"]
    assert bench.state("a") is State.STARTING
    assert bench.driver.stopped == []


@pytest.mark.parametrize("kind", ["start", "sleep", "wake"])
async def test_one_that_does_not_is_let_go_of(bench: Bench, kind: str) -> None:
    bench.store.intents.begin(kind, "a", "old")
    await bench.begins()
    assert bench.said == ["it does not run"]
    assert bench.coming == {}


# ── stops ───────────────────────────────────────────────────────────────────────────────────


async def test_a_stop_is_finished(bench: Bench) -> None:
    bench.store.intents.begin("stop", "a", "old")
    bench.leave("old", "a")
    await asyncio.wait_for(bench.begins(), 5)
    assert bench.said == ["stopped now"]
    assert bench.driver.stopped == ["old"]
    assert bench.coming == {}


async def test_what_had_stopped_is_not_stopped_again(bench: Bench) -> None:
    bench.store.intents.begin("stop", "a", "old")
    bench.leave("another", "a")
    await bench.begins()
    assert bench.said == ["it had stopped"]
    assert bench.driver.stopped == []


@pytest.mark.parametrize("comes_back", [True, False])
async def test_one_that_was_stopped_because_it_hung_comes_back(
    bench: Bench, comes_back: bool
) -> None:
    """A person wants it; the daemon ended before it could start it again."""
    bench.labels["a"] = {"profile": "latency"}
    data = {"error": "it hung: no token", "comes_back": comes_back}
    bench.store.intents.begin("stop", "a", "old", data)
    bench.store.runs.keep("old", kept=True)
    bench.leave("old", "a")
    await asyncio.wait_for(bench.begins(), 5)
    assert bench.driver.stopped == ["old"]
    if not comes_back:
        assert (bench.said, bench.coming) == (["stopped now"], {})
        return
    assert bench.said == ["stopped now, for it had failed; a comes back"]
    assert bench.coming == {"a": True}
    await bench.launched("a")
    assert bench.starts.asked == [("a", {HELD: "60", "profile": "latency"}, {})]


async def test_one_that_failed_too_often_does_not(store: Store) -> None:
    rows = (Breaker("a", FAILURES_TO_OPEN, 1e9, "boom", "a-1", while_starting=False),)
    bench = Bench(store, breakers=rows)
    bench.store.intents.begin("stop", "a", "old", {"comes_back": True})
    bench.store.runs.keep("old", kept=True)
    bench.leave("old", "a")
    await asyncio.wait_for(bench.begins(), 5)
    assert (bench.said, bench.coming) == (["stopped now"], {})
    await bench.supervisor.close()


# ── switches ────────────────────────────────────────────────────────────────────────────────


async def test_a_switch_to_one_that_has_come_up_is_done(bench: Bench) -> None:
    """While a stop was seen through, say."""
    switching(bench.store, "b", a=KEPT_A)
    bench.store.intents.begin("stop", "c", "other")
    bench.leave("old", "b")
    bench.leave("other", "c")
    bench.driver.stop_gate.clear()
    beginning = asyncio.create_task(bench.begins())
    await bench.answers("b")
    bench.driver.stop_gate.set()
    await beginning
    assert bench.said == ["stopped now", "done"]
    assert (bench.state("b"), bench.coming) == (State.READY, {})


async def test_before_anybody_had_left_nothing_has_to_be_done(bench: Bench) -> None:
    switching(bench.store, "b", a=KEPT_A)
    bench.leave("old", "a")
    await bench.begins()
    assert bench.said == ["rolled back: nobody had left yet"]
    assert list(bench.coming) == ["a"]


@pytest.mark.parametrize(("wish", "kept"), [(KEPT_A, True), (ASKED_A, False)])
async def test_who_had_left_comes_back_as_it_was(
    bench: Bench, wish: Mapping[str, object], kept: bool
) -> None:
    switching(bench.store, "b", a=wish)
    await bench.begins()
    assert bench.said == ["rolled back to a"]
    assert bench.coming == {"a": kept}
    assert bench.termed == [("a", wish["labels"], kept)]
    await bench.launched("a")
    assert bench.starts.asked == [("a", wish["labels"], {})]


async def test_who_was_just_being_stopped_comes_back_too(bench: Bench) -> None:
    """It is still there when the switch is looked at, and would be gone a moment later."""
    switching(bench.store, "b", a=KEPT_A)
    bench.store.intents.begin("stop", "a", "old")
    bench.leave("old", "a")
    await asyncio.wait_for(bench.begins(), 5)
    assert bench.said == ["stopped now", "rolled back to a"]
    await bench.launched("a")
    assert bench.driver.stopped == ["old"]
    assert bench.starts.asked == [("a", KEPT_A["labels"], {})]


async def test_a_switch_whose_new_model_had_failed_is_rolled_back(bench: Bench) -> None:
    switching(bench.store, "b", a=KEPT_A)
    bench.store.intents.begin("stop", "b", "old")
    bench.leave("old", "b")
    await asyncio.wait_for(bench.begins(), 5)
    assert bench.said == ["stopped now", "rolled back to a"]


async def test_a_failure_of_the_new_model_is_no_success(bench: Bench) -> None:
    """It was taken over, and ended at once."""
    switching(bench.store, "b", a=KEPT_A)
    bench.leave("old", "b")
    await bench.supervisor.adopt()
    await bench.driver.end("old", code=1)
    await until(lambda: bench.state("b") is State.FAILED)
    await bench.begins()
    assert bench.said == ["rolled back to a"]


@pytest.mark.parametrize("data", [{}, {"from": 7}, {"from": ["a"], "wishes": ["nonsense"]}])
async def test_an_intent_that_says_little(bench: Bench, data: dict[str, object]) -> None:
    bench.store.intents.begin("switch", "b", None, data)
    await bench.begins()
    assert bench.coming == ({"a": True} if "wishes" in data else {})


async def test_who_is_gone_from_the_catalog_keeps_nobody_from_coming_back(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    switching(bench.store, "b", **{GONE: KEPT_A, "a": KEPT_A})
    await bench.begins()
    assert bench.said == ["rolled back to a"]
    assert f"{GONE} does not come back" in caplog.text


async def test_labels_that_nobody_can_read_keep_no_daemon_from_beginning(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(*_of_what: object) -> Terms:
        raise json.JSONDecodeError("no", "", 0)

    monkeypatch.setattr(bench, "terms_of", unreadable)
    switching(bench.store, "b", a=KEPT_A)
    await bench.begins()
    assert bench.coming == {}


@pytest.mark.parametrize(("wish", "kept"), [(KEPT_A, True), (ASKED_A, False)])
async def test_a_switch_that_was_taken_over_is_rolled_back_when_it_fails(
    bench: Bench, wish: Mapping[str, object], kept: bool
) -> None:
    switching(bench.store, "b", a=wish)
    bench.leave("old", "b")
    await bench.begins()
    assert bench.said == ["it goes on, b was on its way"]
    await bench.driver.end("old", code=1)  # while it still starts
    await until(lambda: bench.state("b") is State.FAILED)
    await turns()
    assert bench.coming == {"a": kept}
    await bench.launched("a")
    assert bench.starts.asked == [("a", wish["labels"], {})]
    assert bench.notes.of("switch") == [("b", "failed")]


async def test_a_switch_that_was_taken_over_is_done_when_its_model_is_ready(bench: Bench) -> None:
    switching(bench.store, "b", a=KEPT_A)
    bench.leave("old", "b")
    await bench.begins()
    await bench.answers("b")
    await turns()
    assert "switch.done" in bench.kinds
    assert (list(bench.coming), bench.supervisor.box.switch) == ([], None)


@pytest.mark.parametrize("wish", [KEPT_A, ASKED_A])
async def test_the_next_daemon_too_knows_who_left_in_it(
    bench: Bench, wish: Mapping[str, object]
) -> None:
    switching(bench.store, "b", a=wish)
    bench.leave("old", "b")
    await bench.begins()
    [written] = [each for each in bench.notes.all if each.kind == "switch"]
    assert written.outcome is None
    assert (written.data["from"], written.data["wishes"]) == (["a"], {"a": wish})


async def test_a_switch_to_one_that_still_sleeps_is_taken_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def yes(*_of_what: object) -> bool:
        return True

    monkeypatch.setattr(deeds, "sleeps", yes)
    bench.labels["b"] = {BACK_END: "sleep-1"}
    switching(bench.store, "b", a=KEPT_A)
    bench.leave("old", "b")
    await bench.begins()
    assert bench.state("b") is State.ASLEEP
    assert bench.said == ["rolled back to a"]


@pytest.mark.parametrize(("before", "kept"), [(False, False), (True, True), (None, True)])
async def test_what_a_request_had_started_does_not_become_a_persons(
    bench: Bench, before: bool | None, kept: bool
) -> None:
    """It would never end for being idle, and come back after a crash."""
    if before is not None:
        bench.store.runs.keep("old", kept=before)
    bench.leave("old", "a")
    await bench.begins()
    assert bench.coming == {"a": kept}
    await bench.answers("a")
    instance = bench.supervisor.of("a")
    assert instance is not None
    assert (instance.terms.idle_s is None) is kept


# ── beside each other ───────────────────────────────────────────────────────────────────────


@pytest.fixture
def greedy(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Models on a GPU: each takes all that is free."""
    monkeypatch.setattr(bench, "terms", lambda _model: Terms(least_bytes=10, most_bytes=100))
    bench.held |= {"a": 40, "c": 60}
    return bench


def both(held_a: int = 40, held_c: int = 60) -> dict[str, dict[str, object]]:
    held = {"a": held_a, "c": held_c}
    return {name: {"kept": True, "labels": {HELD: str(size)}} for name, size in held.items()}


async def test_two_that_left_come_back_beside_each_other(greedy: Bench) -> None:
    """The first one must not take what the second had."""
    switching(greedy.store, "b", **both())
    await greedy.begins()
    await greedy.answers("a")
    await greedy.answers("c")
    assert "instance.not_back" not in greedy.kinds
    assert (greedy.state("a"), greedy.state("c")) == (State.READY, State.READY)


async def test_two_that_were_ready_come_back_beside_each_other(greedy: Bench) -> None:
    wishes = [
        Resident(n, json.dumps({KEPT: True, HELD: h}), 0) for n, h in (("a", "40"), ("c", "60"))
    ]
    greedy.store.residents.set(wishes, "before")
    await greedy.begins()
    assert [each.held_bytes for each in greedy.supervisor.instances] == [40, 60]
    await greedy.answers("a")
    await greedy.answers("c")
    assert (greedy.state("a"), greedy.state("c")) == (State.READY, State.READY)


@pytest.mark.parametrize(
    ("held", "least", "most"),
    [("9", 9, 9), ("10", 10, 10), ("50", 10, 50), ("8", 10, 100), ("", 10, 100), ("-7", 10, 100)],
)
def test_what_it_held_counts_where_it_still_gets_along_with_it(
    held: str, least: int, most: int
) -> None:
    known = Terms(least_bytes=10, most_bytes=100)
    (back,) = leavings([Back("a", {HELD: held}, kept=True)], lambda *_of_what: known)
    assert (back.terms.least_bytes, back.terms.most_bytes) == (least, most)


def test_a_size_that_nobody_can_read_keeps_no_daemon_from_beginning() -> None:
    back = [Back("a", {HELD: "much"}, kept=True), Back("c", {}, kept=True)]
    found = leavings(back, lambda *_of_what: Terms())
    assert [each.model for each in found] == ["c"]


# ── reboots ─────────────────────────────────────────────────────────────────────────────────


def resided(store: Store, *models: str, boot: str = "before") -> None:
    wish = json.dumps({"image": "x", "number": 7, KEPT: True})
    rows = [Resident(model, wish, place) for place, model in enumerate(models)]
    store.residents.set(rows, boot)


async def test_after_a_reboot_all_that_were_ready_come_back(bench: Bench) -> None:
    resided(bench.store, "c", "a")
    await bench.begins()
    assert bench.coming == {"c": True, "a": True}
    assert "c, a comes back" in bench.said[-1]
    await bench.answers("c")
    await bench.answers("a")
    assert [(model, labels) for model, labels, _ in bench.starts.asked] == [
        ("c", {"image": "x"}),
        ("a", {"image": "x"}),
    ]


async def test_without_a_reboot_nobody_does(bench: Bench) -> None:
    resided(bench.store, "a", boot="now")
    await bench.begins()
    assert (bench.coming, bench.said) == ({}, [])


async def test_nobody_does_where_the_kernel_names_no_boot_or_the_settings_say_no(
    bench: Bench,
) -> None:
    resided(bench.store, "a")
    await bench.begins(boot=None)
    await bench.begins(restore=False)
    assert bench.coming == {}


async def test_one_that_the_breaker_holds_does_not(bench: Bench) -> None:
    resided(bench.store, "a", "c")
    bench.store.breakers.save(BreakerRow("a", 3, 0.0, "boom", "a-1"))
    bench.store.breakers.save(BreakerRow("c", 2, 0.0, "boom", "c-1"))
    await bench.begins()
    assert list(bench.coming) == ["c"]


async def test_nothing_starts_after_a_reboot_where_the_settings_say_no(tmp_path: Path) -> None:
    """Not even what had left in a switch; without a reboot it comes back all the same."""
    for boot, said, coming in (
        ("after", "the machine has been rebooted, and switching.restore is false", {}),
        ("before", "rolled back to a", {"a": True}),
    ):
        with closing(Store(tmp_path / f"{boot}.db", boot_id="before")) as store:
            switching(store, "b", a=KEPT_A)
            resided(store, "c")
            bench = Bench(store)
            await bench.begins(boot=boot, restore=False)
            assert (bench.said, bench.coming) == ([said], coming)
            await bench.supervisor.close()


async def test_one_whose_first_start_fails_is_tried_again(bench: Bench) -> None:
    """As `restart: unless-stopped` did, until the breaker is open."""
    resided(bench.store, "a")
    bench.starts.refusal = EnvironmentFault("The GPU does not answer yet.")
    await bench.begins()
    for failures in (1, 2):
        await until(lambda: bench.failures("a") == failures)  # noqa: B023
        assert bench.coming == {"a": True}
        bench.pause_is_over("a")
    await until(lambda: bench.failures("a") == FAILURES_TO_OPEN)
    assert bench.coming == {}


async def test_one_that_a_request_is_quicker_to_start_is_tried_again_too(bench: Bench) -> None:
    resided(bench.store, "a")
    bench.starts.refusal = EnvironmentFault("The GPU does not answer yet.")
    await bench.begins()
    await until(lambda: bench.failures("a") == 1)
    bench.pause_is_over("a", told=False)
    bench.ask("a")
    await until(lambda: bench.failures("a") == FAILURES_TO_OPEN - 1)
    assert bench.coming == {"a": True}


async def test_one_that_runs_already_is_not_started_again(bench: Bench) -> None:
    resided(bench.store, "a", "c")
    bench.leave("old", "c")
    await bench.begins()
    assert set(bench.coming) == {"a", "c"}
    assert [model for model, *_ in bench.termed] == ["a"]


async def test_a_wish_that_nobody_can_read_is_a_usual_start(bench: Bench) -> None:
    rows = [Resident("a", "{", 0), Resident("c", "[1]", 1), Resident(GONE, "{}", 2)]
    bench.store.residents.set(rows, "before")
    await bench.begins()
    assert bench.termed == [("a", {}, False), ("c", {}, False)]


async def test_a_request_that_is_quicker_is_no_matter(bench: Bench) -> None:
    resided(bench.store, "a")
    ticket = bench.ask("a")
    await bench.begins()
    await bench.answers("a")
    await ticket.wait()
    await turns()
    assert len(bench.driver.launched) == 1


# ── which boot ──────────────────────────────────────────────────────────────────────────────


def test_this_boot_has_a_name() -> None:
    assert read_boot_id() == BOOT_ID.read_text().strip()


def test_a_kernel_without_names(tmp_path: Path) -> None:
    assert read_boot_id(tmp_path / "none") is None
    (tmp_path / "empty").write_text("\n")
    assert read_boot_id(tmp_path / "empty") is None

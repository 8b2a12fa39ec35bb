"""The dashboard's services over a daemon's real parts."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tests.unit.app.daemon.test_building import made

from sparkwell.app.daemon.building import Built
from sparkwell.app.dashboard.making import services_of
from sparkwell.app.dashboard.rounds import box_figures, round_of
from sparkwell.app.dashboard.services import DashboardServices
from sparkwell.app.keys.own_key import OwnKey
from sparkwell.app.listener.exposure import own_names
from sparkwell.core.errors import UsageError
from sparkwell.hardware.samples import MachineSample
from sparkwell.monitor.overview import Overview
from sparkwell.monitor.readings import Reading
from sparkwell.web.services import EventQuery, KeyWish, LogQuery, RecipeEdit


@pytest.fixture
async def built(tmp_path: Path) -> AsyncIterator[Built]:
    async with AsyncExitStack() as stack:
        yield made(tmp_path, stack, gateway={"names": ["Spark.Home"]})


@pytest.fixture
def services(built: Built) -> DashboardServices:
    return services_of(built, built.host, built.paths.config_file)


async def test_the_catalog_has_a_plan_for_each_model(services: DashboardServices) -> None:
    entries = {each.name: each for each in await services.models()}
    demo, large = entries["demo-qwen3"], entries["qwen3-32b-fp8"]
    assert demo.missing is None
    assert demo.plan is not None
    assert demo.plan["model"] == "demo-qwen3"
    assert large.missing
    assert await services.models() is await services.models()  # made once in half a minute


async def test_what_was_saved_is_in_the_next_list(
    services: DashboardServices, built: Built
) -> None:
    await services.models()
    form = await services.recipe("demo-qwen3")
    edit = RecipeEdit("", {"max_num_seqs": "7"}, {"pinned": "true"}, form.revision)
    saved = await services.save("demo-qwen3", edit)
    assert saved.problems == {}
    assert built.models.changes_of("demo-qwen3").pinned
    plan = {each.name: each for each in await services.models()}["demo-qwen3"].plan
    assert plan is not None
    assert plan["flags"]["max_num_seqs"] == 7


async def test_past_events_newest_first_and_by_pages(
    services: DashboardServices, built: Built
) -> None:
    for number in range(1, 8):
        kind = "switch.done" if number % 2 else "instance.ready"
        built.journal.add(kind, f"Number {number}", model="m" if number < 5 else "n")
    built.journal.add("instance.progress", "worthless in a second")
    page = await services.past_events(EventQuery(limit=3))
    assert [each.message for each in page] == ["Number 7", "Number 6", "Number 5"]
    page = await services.past_events(EventQuery(limit=3, before=page[-1].seq))
    assert [each.message for each in page] == ["Number 4", "Number 3", "Number 2"]
    page = await services.past_events(EventQuery(kind="switch", model="m", text="NUMBER"))
    assert [each.message for each in page] == ["Number 3", "Number 1"]


async def test_rounds_come_while_somebody_listens(
    services: DashboardServices, built: Built
) -> None:
    assert services.now() is None
    async with built.watching.running(), asyncio.timeout(20):
        rounds = services.rounds()
        first, second = await anext(rounds), await anext(rounds)
        await rounds.aclose()  # type: ignore[attr-defined]
    assert second.at > first.at
    assert second.machine["available_bytes"]


async def test_history_is_that_of_the_last_seconds(
    services: DashboardServices, built: Built
) -> None:
    values: Sequence[float | None] = ()
    async with asyncio.timeout(30):
        while not any(values):  # a busy disk stores a round later than that round waits
            await built.watching.monitor.round()
            drawn = await services.history(None, ["available_bytes"], 60.0, 20)
            times, values = drawn["available_bytes"]
            assert len(times) == len(values) <= 20
    with pytest.raises(UsageError):
        await services.history(None, ["no_such_series"], 60.0, 20)


async def test_status_has_figures_and_findings(services: DashboardServices) -> None:
    status = services.status()
    assert status["machine"] is None  # before the first round
    assert {each["id"] for each in status["findings"]} <= {"guard-missing", "guard-unprotected"}
    assert [each.id for each in services.findings()] == [e["id"] for e in status["findings"]]


async def test_a_log_of_a_model_that_has_not_run(services: DashboardServices) -> None:
    assert await services.first_failure("demo-qwen3") is None
    with pytest.raises(UsageError, match="has not run"):
        await services.logs("demo-qwen3", LogQuery())


def test_a_round_adds_up_what_flows_and_takes_the_worst_of_the_rest() -> None:
    one = Reading(output_tokens_per_s=30.0, running=2.0, ttft_p95_s=0.5, kv_used=0.2)
    two = Reading(output_tokens_per_s=10.0, running=1.0, ttft_p95_s=0.1, kv_used=0.9)
    bad = Reading(problem="it does not answer")
    overview = Overview(
        at=1.0,
        machine=MachineSample(available_bytes=5),
        readings={"a-1": one, "b-1": two, "c-1": bad},
        models={"a-1": "a", "b-1": "b", "c-1": "c"},
    )
    shown = round_of(overview)
    assert shown is not None
    assert set(shown.models) == {"a", "b"}
    assert shown.problems == {"c": "it does not answer"}
    assert (shown.box["output_tokens_per_s"], shown.box["running"]) == (40.0, 3.0)
    assert (shown.box["ttft_p95_s"], shown.box["kv_used"]) == (0.5, 0.9)
    assert shown.box["requests_per_s"] is None
    assert round_of(Overview()) is None
    assert box_figures([])["output_tokens_per_s"] is None


async def test_the_pages_ask_with_the_daemons_own_key(built: Built) -> None:
    own = OwnKey(built.keeper.book)
    keys = services_of(built, built.host, built.paths.config_file, own).client_keys
    assert keys.own_secret() == own.secret()
    assert built.keeper.book.of(keys.own_secret())
    assert not keys.needed
    made = keys.add(KeyWish("bob", ("demo-qwen3",)))
    assert built.keeper.book.of(made.secret)
    assert [key.name for key in keys.shown(7).keys] == ["bob"]
    assert keys.needed


async def test_names_of_this_machine(built: Built) -> None:
    assert "spark.home" in own_names(built.settings.gateway)

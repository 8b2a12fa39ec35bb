"""What a stop's intent says: a daemon that is killed in it leaves that to the next one."""

from collections.abc import AsyncIterator

import pytest
from tests.unit.supervisor.switching_bench import Bench
from tests.unit.supervisor.test_actor import until

from sparkwell.supervisor.messages import Hung


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    yield bench
    await bench.supervisor.close()


@pytest.mark.parametrize("kept", [True, False])
async def test_one_that_hangs_is_stopped_to_come_back_if_a_person_wants_it(
    bench: Bench, kept: bool
) -> None:
    instance = await (bench.ready("c") if kept else bench.used("c"))
    bench.supervisor.report(Hung(instance, "no token"))
    await until(lambda: "stop" in [each.kind for each in bench.notes.all])
    [written] = [each for each in bench.notes.all if each.kind == "stop"]
    assert written.data == {"error": "it hung: no token", "comes_back": kept}


async def test_one_that_a_person_stops_does_not(bench: Bench) -> None:
    await bench.ready("c")
    await bench.supervisor.down("c")
    [written] = [each for each in bench.notes.all if each.kind == "stop"]
    assert written.data == {}

"""Why a run failed is found out before its failure is told."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.unit.supervisor import switching_bench
from tests.unit.supervisor.switching_bench import Bench
from tests.unit.supervisor.test_actor import turns, until

from sparkwell.core.errors import EnvironmentFault
from sparkwell.core.findings import Finding, Severity
from sparkwell.core.launch import ExitRecord, LaunchSpec
from sparkwell.supervisor import deeds
from sparkwell.supervisor.actor import Supervisor
from sparkwell.supervisor.box import Instance, State
from sparkwell.supervisor.liveness import Liveness
from sparkwell.supervisor.pulses import Pulses
from sparkwell.supervisor.tasks import Tasks

FOUND = (Finding("cuda-oom", Severity.ERROR, "No memory"),)


class Doctor:
    """Finds the same in all; ``gate`` is how long it takes."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None]] = []
        self.fault: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(
        self, spec: LaunchSpec, instance: Instance, _record: ExitRecord
    ) -> tuple[Finding, ...]:
        self.asked.append((spec.instance, instance.error))
        await self.gate.wait()
        if self.fault:
            raise self.fault
        return FOUND


@pytest.fixture
async def doctor() -> Doctor:
    return Doctor()


@pytest.fixture
async def bench(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    def supervisor(*given: object, **named: object) -> Supervisor:
        return Supervisor(*given, diagnose=doctor, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(switching_bench, "Supervisor", supervisor)
    bench = Bench()
    yield bench
    await bench.supervisor.close()


async def test_a_start_that_ends_is_looked_at_and_told_with_it(
    bench: Bench, doctor: Doctor
) -> None:
    instance = await bench.launched_by_hand("a")
    await bench.driver.end(instance, code=1)
    await until(lambda: bench.state("a") is State.FAILED)
    failed = bench.supervisor.of("a")
    assert failed is not None
    assert failed.findings == FOUND
    [event] = [each for each in bench.journal.after(0) if each.kind == "instance.failed"]
    assert event.data["findings"] == ["cuda-oom"]
    assert [each for each, _ in doctor.asked] == [instance]


async def test_nothing_is_told_before_the_look_is_over(bench: Bench, doctor: Doctor) -> None:
    doctor.gate.clear()
    instance = await bench.launched_by_hand("a")
    await bench.driver.end(instance, code=1)
    await until(lambda: doctor.asked != [])
    await turns()
    assert "instance.failed" not in bench.kinds
    doctor.gate.set()
    await until(lambda: bench.state("a") is State.FAILED)


async def test_a_start_that_is_given_up_is_looked_at_too(bench: Bench, doctor: Doctor) -> None:
    instance = await bench.launched("a") if bench.up("a") else ""
    bench.watch.outcomes[instance].set_exception(EnvironmentFault("it was not ready within 9 s"))
    await until(lambda: bench.state("a") is State.FAILED)
    failed = bench.supervisor.of("a")
    assert failed is not None
    assert (failed.error, failed.findings) == ("it was not ready within 9 s", FOUND)
    assert {said for _, said in doctor.asked} == {"it was not ready within 9 s"}


async def test_the_end_of_one_that_served_waits_for_no_long_look(
    bench: Bench, doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until it is told, requests are sent to an engine that is not there."""
    monkeypatch.setattr(deeds, "SERVED_S", 0.01)
    instance = await bench.ready("a")
    doctor.gate.clear()
    await bench.driver.end(instance, code=1)
    async with asyncio.timeout(5):
        while "instance.failed" not in bench.kinds:
            await asyncio.sleep(0.01)
    [event] = [each for each in bench.journal.after(0) if each.kind == "instance.failed"]
    assert "findings" not in event.data


async def test_a_look_that_fails_hides_no_end(bench: Bench, doctor: Doctor) -> None:
    doctor.fault = ValueError("a mistake of ours")
    instance = await bench.launched_by_hand("a")
    await bench.driver.end(instance, code=1)
    await until(lambda: bench.state("a") is State.FAILED)
    failed = bench.supervisor.of("a")
    assert failed is not None
    assert not failed.lost
    assert failed.findings == ()


async def test_a_stop_that_somebody_wanted_is_no_failure(bench: Bench, doctor: Doctor) -> None:
    await bench.ready("a")
    await bench.supervisor.down("a")
    await turns()
    assert doctor.asked == []


async def test_what_speaks_against_a_launch_is_kept(bench: Bench) -> None:
    refusal = EnvironmentFault("No.")
    refusal.findings = FOUND  # type: ignore[attr-defined]
    bench.driver.refusal = refusal
    failed = await bench.supervisor.settled(bench.up("a"))
    assert failed is not None
    assert failed.findings == FOUND
    bench.driver.refusal = EnvironmentFault("No.")
    failed = await bench.supervisor.settled(bench.up("a"))
    assert failed is not None
    assert failed.findings == ()


# ── how long it has been silent ─────────────────────────────────────────────────────────────


async def test_silence_counts_from_the_last_sign_once_a_canary_was_missed() -> None:
    pulses = Pulses(Tasks(), None, serving=lambda _name: 0, tell=lambda _hung: None)
    now = asyncio.get_running_loop().time()
    assert pulses.silent_s("a-1") is None
    pulses._known["a-1"] = Liveness(mark=None, alive_s=now - 50.0)
    assert pulses.silent_s("a-1") is None  # nobody asked it for a token
    pulses._known["a-1"] = Liveness(mark=None, alive_s=now - 50.0, misses=1)
    assert pulses.silent_s("a-1") == pytest.approx(50.0, abs=1.0)
    pulses.let_be("a-1")
    assert pulses.silent_s("a-1") is None

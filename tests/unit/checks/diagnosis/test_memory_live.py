"""A host looked at with no start in mind: the memory checks before a start are silent or right."""

from dataclasses import replace

from tests.unit.checks.hosts import GOOD, SPARK, memory

from sparkwell.checks import engines
from sparkwell.checks import memory as before_start
from sparkwell.checks.check import run
from sparkwell.checks.diagnosis import memory as diagnosis
from sparkwell.checks.host_parts import Engine
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding, Severity
from sparkwell.core.units import GIB

CHECKS = (*before_start.CHECKS, *engines.CHECKS, *diagnosis.CHECKS)
LIVE = replace(GOOD, request=None, plan=None, machine=replace(SPARK, floor_bytes=8 * GIB))
ORPHAN = Engine("vllm", pid=77, memory_bytes=64 * GIB, orphan=True)


def found(snapshot: Snapshot) -> list[Finding]:
    return [each for each in run(CHECKS, snapshot) if each.severity is not Severity.OK]


def test_a_good_host_is_well() -> None:
    assert found(LIVE) == []
    assert found(replace(LIVE, plan=GOOD.plan)) == []


def test_little_memory_with_an_orphan_is_told_by_both_and_the_orphan_goes_first() -> None:
    told = found(replace(LIVE, system=memory(5), engines=(*(GOOD.engines or ()), ORPHAN)))
    assert sorted(each.id for each in told) == ["host-memory-low", "memory-held-by-orphan"]
    assert {each.remedies[0].command for each in told} == {"kill 77"}


def test_no_text_names_what_is_not_known() -> None:
    low = replace(LIVE, system=memory(5), engines=(Engine("vllm", pid=3),))
    for each in found(low):
        assert "None" not in str(each.to_json()["remedies"]).replace("'fix': None", "").replace(
            "'command': None", ""
        )

"""Engine processes that have outlived their parents."""

from sparkwell.checks.diagnosis.memory.orphan import CHECK
from sparkwell.checks.engines import two_engines
from sparkwell.checks.host_parts import Engine
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding, Severity
from sparkwell.core.units import GIB

ORPHAN = Engine("vllm", pid=77, memory_bytes=64 * GIB, orphan=True, started_at=1.0)
FINE = Engine("vllm", ours=True, pid=9, model="qwen3-8b-fp8", memory_bytes=GIB, orphan=False)


def with_engines(*engines: Engine) -> Snapshot:
    return Snapshot(0.0, "test", engines=engines)


def found(*engines: Engine) -> list[Finding]:
    return list(CHECK.look(with_engines(*engines)))


def test_one_that_holds_memory_is_an_error_with_a_fix() -> None:
    [finding] = found(FINE, ORPHAN)
    assert (finding.id, finding.severity) == ("memory-held-by-orphan", Severity.ERROR)
    assert finding.title == "An engine process has outlived its parent and holds 64.0 GiB"
    assert finding.evidence == ("vLLM (process 77), whose parent is gone: 64.0 GiB",)
    assert (finding.remedies[0].command, finding.remedies[0].fix) == ("kill 77", "end-orphan")


def test_two_are_one_finding() -> None:
    unknown = Engine("vllm", pid=78, orphan=True)
    [finding] = found(ORPHAN, unknown)
    assert finding.title.startswith("2 engine processes have outlived their parents and hold 64")
    assert "memory unknown" in finding.evidence[1]


def test_one_in_a_container_is_stopped_with_it_and_has_no_fix() -> None:
    [finding] = found(Engine("vllm", pid=77, container="old", orphan=True))
    assert (finding.remedies[0].command, finding.remedies[0].fix) == ("docker stop old", None)


def test_our_orphan_is_not_stopped_by_its_models_name() -> None:
    [finding] = found(Engine("vllm", ours=True, pid=77, model="qwen3-8b-fp8", orphan=True))
    assert finding.remedies[0].command == "kill 77"


def test_engines_with_a_parent_or_an_unknown_one_are_well() -> None:
    assert found(FINE, Engine("vllm", pid=5, memory_bytes=GIB)) == []
    assert list(CHECK.look(Snapshot(0.0, "test"))) == []


def test_an_orphan_is_not_told_as_another_engine_too() -> None:
    [finding] = two_engines(with_engines(FINE, ORPHAN))
    assert finding.severity is Severity.OK

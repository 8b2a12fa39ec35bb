"""Another engine beside ours, where nothing is to be started."""

from sparkwell.checks.engines import two_engines
from sparkwell.checks.host_parts import Engine
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Severity
from sparkwell.core.units import GIB

OURS = Engine("vllm", ours=True, pid=9, model="qwen3-8b-fp8", memory_bytes=GIB)
OTHER = Engine("vllm", pid=12, container="vllm-old", memory_bytes=40 * GIB)
LOADED = Engine("ollama", pid=13, memory_bytes=GIB, loaded=True)
IDLE = Engine("ollama", pid=13, memory_bytes=GIB, loaded=False)


def severities(*engines: Engine) -> list[Severity]:
    return [each.severity for each in two_engines(Snapshot(0.0, "test", engines=engines))]


def test_one_beside_ours_is_a_warning() -> None:
    [finding] = two_engines(Snapshot(0.0, "test", engines=(OURS, OTHER)))
    assert finding.severity is Severity.WARNING
    assert "vLLM (container vllm-old)" in finding.title
    assert finding.remedies[0].command == "docker stop vllm-old"


def test_two_others_are_in_each_others_way() -> None:
    assert severities(OTHER, LOADED) == [Severity.WARNING]


def test_one_alone_is_in_nobodys_way() -> None:
    assert severities(OTHER) == [Severity.INFO]
    assert severities(IDLE) == [Severity.INFO]


def test_ours_alone_is_well() -> None:
    assert severities(OURS) == [Severity.OK]
    assert severities() == [Severity.OK]
    assert list(two_engines(Snapshot(0.0, "test"))) == []

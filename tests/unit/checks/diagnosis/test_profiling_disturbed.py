"""Memory that came free while the engine measured."""

from dataclasses import replace

from tests.unit.checks.diagnosis.ask import asked, of_log

from sparkwell.checks.diagnosis.memory.profiling_disturbed import CHECK
from sparkwell.checks.host_parts import Engine
from sparkwell.core.findings import Severity

NEW = (
    "(EngineCore pid=7) AssertionError: Error in memory profiling. Initial free memory 22.02 GiB, "
    "current free memory 22.11 GiB. This happens when other processes"
)
BYTES = (
    "AssertionError: Error in memory profiling. Initial free memory 39909924864, current free "
    "memory 47541829632. This happens when the GPU memory was not properly cleaned up"
)


def test_how_much_came_free_is_told() -> None:
    [finding] = asked(CHECK, NEW)
    assert (finding.id, finding.severity) == ("memory-profiling-disturbed", Severity.ERROR)
    assert "0.09 GiB more" in finding.title
    assert "nothing else running" in (finding.cause or "")
    assert finding.remedies[0].command == "sparkwell up MODEL"


def test_older_versions_say_bytes() -> None:
    [finding] = asked(CHECK, BYTES)
    assert "7.11 GiB more" in finding.title


def test_the_engine_beside_it_is_named() -> None:
    [finding] = CHECK.look(replace(of_log(NEW), engines=(Engine("ollama", pid=5, loaded=True),)))
    assert "Ollama (process 5)" in finding.evidence[1]


def test_what_looks_alike_is_well() -> None:
    line = "INFO 11-20 10:00:22 [m.py:1] Initial profiling/warmup run took 1.44 s"
    assert asked(CHECK, line) == []
    assert asked(CHECK, f"Received request c-1: prompt: '{NEW}'") == []

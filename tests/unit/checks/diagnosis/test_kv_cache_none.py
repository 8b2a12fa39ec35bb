"""No memory for the KV cache."""

from tests.unit.checks.diagnosis.ask import asked

from sparkwell.checks.diagnosis.memory.kv_cache_none import CHECK
from sparkwell.core.findings import Severity

LOG = """
(EngineCore_DP0 pid=71) INFO 09-30 10:01:02 [w.py:298] Available KV cache memory: -3.10 GiB
(EngineCore_DP0 pid=71) ValueError: No available memory for the cache blocks. Try increasing
"""


def test_the_line_and_the_figure_before_it_are_the_evidence() -> None:
    [finding] = asked(CHECK, LOG)
    assert (finding.id, finding.severity) == ("kv-cache-none", Severity.ERROR)
    assert "line 1" in finding.evidence[0]
    assert "-3.10 GiB" in finding.evidence[0]
    assert "line 2" in finding.evidence[1]
    assert finding.remedies[0].command == "sparkwell plan MODEL --explain"


def test_a_log_that_quotes_it_in_a_prompt_is_well() -> None:
    words = "Received request cmpl-1: prompt: 'No available memory for the cache blocks'"
    assert asked(CHECK, f"INFO 09-30 10:01:02 [logger.py:41] {words}") == []

"""A KV cache too small for one request."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.checks.diagnosis.ask import asked

from sparkwell.checks.diagnosis.memory.kv_cache_too_small import BLOCK_TOKENS, CHECK
from sparkwell.core.findings import Severity

OLD = (
    "ValueError: To serve at least one request with the models's max seq len (40960), (10.00 GiB KV"
    " cache is needed, which is larger than the available KV cache memory (6.10 GiB). "
)
NEW = (
    "(EngineCore pid=7) ValueError: To serve at least one request with the model's max seq len "
    "(131072), (40.0 GiB KV cache is needed, which is larger than the available KV cache memory "
    "(21.9 GiB). Try"
)
UNBRACED = (
    "ValueError: To serve at least one request with the models's max seq len (393216), 60.00 GiB "
    "KV cache is needed, which is larger than the available KV cache memory (56.13 GiB). "
)
ESTIMATE = "Based on the available memory, the estimated maximum model length is 24976. Try"
V0 = (
    "ValueError: The model's max seq len (40960) is larger than the maximum number of tokens that "
    "can be stored in KV cache (24976). Try"
)


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        (OLD + ESTIMATE, 24976),
        (OLD, 24944),  # 40960 x 6.095 / 10.005, in whole blocks
        (NEW, 71728),
        (UNBRACED, 367776),
        (V0, 24976),
    ],
)
def test_the_largest_length_that_fits_is_told(text: str, fits: int) -> None:
    [finding] = asked(CHECK, text)
    assert (finding.id, finding.severity) == ("kv-cache-too-small", Severity.ERROR)
    assert finding.remedies[0].command == f"sparkwell up MODEL --set max_model_len={fits}"
    assert f"{fits:,} tokens fit" in finding.remedies[0].text


def test_a_line_that_a_terminal_has_cut_is_understood_as_far_as_it_goes() -> None:
    cut = OLD[:95]
    [finding] = asked(CHECK, f"{cut}\n{ESTIMATE}")
    assert finding.remedies[0].command == "sparkwell up MODEL --set max_model_len=24976"
    [finding] = asked(CHECK, cut)
    assert finding.remedies[0].command == "sparkwell up MODEL --set max_model_len=8192"


@pytest.mark.parametrize(
    ("before", "told"),
    [
        ("", True),
        ("INFO 11-20 10:00:01 [u.py:1] non-default args: {'kv_cache_dtype': 'fp8'}\n", False),
        ("INFO 11-20 10:00:05 [c.py:1] Initializing a V1 LLM engine (v0.10.2) with x\n", False),
    ],
)
def test_eight_bits_are_proposed_where_they_help(before: str, told: bool) -> None:
    [finding] = asked(CHECK, before + OLD)
    assert any("kv_cache_dtype=fp8" in (each.command or "") for each in finding.remedies) == told


def test_where_not_a_block_fits_a_shorter_length_is_not_proposed() -> None:
    for text in (OLD.replace("6.10", "0.0"), V0.replace("24976", "0")):
        [finding] = asked(CHECK, text)
        assert finding.remedies[0].command == "sparkwell plan MODEL --explain"
        assert not any("kv_cache_dtype" in (each.command or "") for each in finding.remedies)


@given(
    length=st.integers(1000, 1_000_000),
    per_token=st.integers(1024, 1_000_000),
    share=st.floats(0.01, 0.99),
)
def test_what_is_computed_does_fit(length: int, per_token: int, share: float) -> None:
    """For a model whose tokens all need the same, whatever the log's two decimals hide."""
    gib = 1024**3
    needed, available = length * per_token / gib, length * per_token * share / gib
    figures = {"131072": str(length), "40.0": f"{needed:.2f}", "21.9": f"{available:.2f}"}
    text = re.sub(r"131072|40\.0|21\.9", lambda found: figures[found[0]], NEW)
    for finding in asked(CHECK, text):
        command = finding.remedies[0].command or ""
        fits = int(command.rpartition("=")[2]) if "max_model_len" in command else 0
        assert fits % BLOCK_TOKENS == 0
        assert fits * per_token <= available * gib * (1 + 1e-9)


@pytest.mark.parametrize(
    "line",
    [
        "INFO 11-20 10:00:18 [k.py:1] Maximum concurrency for 32,000 tokens per request: 0.98x",
        "INFO 11-20 10:00:25 [k.py:1] Auto-fit max_model_len: reduced from 262144 to 131072 to fit "
        "in available KV cache memory (12.0 GiB)",
        f"Received request c-1: prompt: '{OLD}'",
    ],
)
def test_what_looks_alike_is_well(line: str) -> None:
    assert asked(CHECK, line) == []

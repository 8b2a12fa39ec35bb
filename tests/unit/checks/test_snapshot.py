"""A snapshot as a file: written, read back, and refused when it is none."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.checks.hosts import GOOD

from sparkwell.checks.preflight import preflight
from sparkwell.checks.snapshot import FORMAT, Snapshot, from_json, to_json
from sparkwell.core.errors import DocumentError
from sparkwell.core.findings import Severity
from sparkwell.hardware.machine import Machine, SeenTotal, Source

BAD = (Severity.ERROR, Severity.WARNING)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
MACHINES = st.builds(
    Machine,
    name=st.text(),
    title=st.text(),
    device=st.sampled_from(["cuda", "cpu"]),
    total_bytes=st.integers(0, 2**50),
    unified=st.booleans(),
    bandwidth_bytes_per_s=st.none() | FLOATS,
    compute_capability=st.none() | st.tuples(st.integers(0, 99), st.integers(0, 9)),
    dense_flops=st.dictionaries(st.text(), FLOATS, max_size=3),
    sources=st.lists(st.builds(Source, st.text(), st.text()), max_size=2).map(tuple),
    seen_totals=st.lists(st.builds(SeenTotal, st.text(), st.integers()), max_size=2).map(tuple),
)
st.register_type_strategy(float, FLOATS)
st.register_type_strategy(Machine, MACHINES)
SNAPSHOTS = st.builds(Snapshot, format=st.just(FORMAT))


@settings(max_examples=60, deadline=None)
@given(SNAPSHOTS)
def test_any_snapshot_comes_back_as_it_was(snapshot: Snapshot) -> None:
    assert from_json(to_json(snapshot)) == snapshot


@settings(max_examples=60, deadline=None)
@given(SNAPSHOTS)
def test_any_snapshot_can_be_judged(snapshot: Snapshot) -> None:
    for finding in preflight(snapshot):
        assert finding.title
        json.dumps(finding.to_json())


def test_the_good_host_comes_back_with_the_same_findings() -> None:
    again = from_json(to_json(GOOD))
    assert again == GOOD
    assert preflight(again) == preflight(GOOD)


def test_a_snapshot_of_a_real_host_is_judged_elsewhere() -> None:
    """A host with an H200 and without Docker; a process named like vLLM held 60 GiB."""
    text = Path(__file__).with_name("h200.json").read_text(encoding="utf-8")
    wrong = {each.id: each for each in preflight(from_json(text)) if each.severity in BAD}
    assert set(wrong) == {"docker-unreachable", "memory-startup-check", "two-engines"}
    assert "79.3 GiB free, 129.1 GiB wanted" in wrong["memory-startup-check"].evidence
    assert wrong["two-engines"].evidence == ("vLLM (process 430), org/model: 60.6 GiB",)


def test_keys_of_a_newer_release_are_left_out() -> None:
    document = json.loads(to_json(GOOD))
    document["more"] = 1
    document["docker"]["more"] = 2
    assert from_json(json.dumps(document)) == GOOD


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no snapshot"),
        ("[]", "no snapshot"),
        ("{}", "taken_at"),
        ('{"taken_at": 1, "sparkwell": "0.1", "docker": 5}', "docker"),
        ("[" * 5000, "no snapshot"),
        (f'{{"taken_at": 1, "sparkwell": "9.9", "format": {FORMAT + 1}}}', "format"),
    ],
)
def test_what_is_no_snapshot_is_refused(text: str, said: str) -> None:
    with pytest.raises(DocumentError, match=said):
        from_json(text, "broken.json")


def test_a_refusal_repeats_nothing_of_the_file() -> None:
    document: dict[str, Any] = json.loads(to_json(GOOD))
    document["token"] = "hf_abcdefghijklmnopqrstuvwxyz01234567"
    with pytest.raises(DocumentError) as caught:
        from_json(json.dumps(document))
    assert "hf_abc" not in str(caught.value)

"""Findings in words."""

import pytest
from tests.unit.cli.top import documents

from sparkwell.cli.top.finding_words import (
    first_advice,
    first_command,
    severity,
    tally,
    title,
    to_show,
    troubles,
)
from sparkwell.cli.top.findings import findings

FOUND = [documents.WELL, documents.ROOMY, documents.FULL, documents.SLOW]


def test_the_worst_is_first_and_what_is_well_is_not_said() -> None:
    assert to_show(FOUND) == [documents.SLOW, documents.FULL, documents.ROOMY]
    assert troubles(FOUND) == [documents.SLOW, documents.FULL]
    assert to_show(None) == to_show([]) == to_show([documents.WELL]) == []


def test_findings_of_one_severity_keep_their_order() -> None:
    found = [{"title": word, "severity": "warning"} for word in "bac"]
    assert to_show(found) == found


def test_a_severity_of_a_newer_daemon_is_worth_knowing() -> None:
    assert severity({"severity": "critical"}) == severity({}) == "info"
    assert to_show([{"severity": "critical"}]) == [{"severity": "critical"}]


@pytest.mark.parametrize(
    ("finding", "words"),
    [
        ({"title": "It is full", "model": "a"}, "a: It is full"),
        ({"title": "a is full", "model": "a"}, "a is full"),
        ({"title": "It is full", "model": None}, "It is full"),
        ({"id": "full"}, "full"),
        ({"title": "x\x1b[2Jy"}, "x [2Jy"),
    ],
)
def test_the_title_names_the_model(finding: documents.Json, words: str) -> None:
    assert title(finding) == words


def test_the_first_command_may_be_of_a_later_remedy() -> None:
    assert first_command(documents.FULL) == documents.FULL["remedies"][1]["command"]
    assert first_command(documents.SLOW) is None
    assert first_advice(documents.SLOW) == "See what the engine chose."
    assert first_command({}) is first_advice({"remedies": None}) is None


def test_findings_are_counted_by_severity() -> None:
    assert tally(to_show([*FOUND, documents.FULL])) == [
        ("error", "1 error"),
        ("warning", "2 warnings"),
        ("info", "1 note"),
    ]
    assert tally([]) == []


def test_the_section_is_there_where_there_is_something_to_say() -> None:
    assert findings([documents.WELL], 80, air=True) is None
    assert findings([documents.ROOMY], 80, air=False) is None
    section = findings([documents.ROOMY], 80, air=True)
    assert section is not None
    assert [each.plain for each in section.lines] == [
        " - The KV cache has room for more requests at once"
    ]

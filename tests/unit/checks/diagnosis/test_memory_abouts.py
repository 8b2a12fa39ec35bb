"""What the memory checks say in general, and in the corpus, can be typed and is no harm."""

import re
from pathlib import Path

import pytest
from tests.unit.checks.test_checks import parse

from sparkwell.checks import engines
from sparkwell.checks import memory as before_start
from sparkwell.checks.about import About
from sparkwell.checks.check import run
from sparkwell.checks.diagnosis import memory
from sparkwell.checks.logs.digest import digest
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding

WRITTEN = Path(__file__).parents[3] / "data" / "doctor" / "written"
CHECKS = (*memory.CHECKS, *before_start.CHECKS, *engines.CHECKS)
ABOUTS = [check.about for check in CHECKS if check.about]
IDS = {
    "cuda-oom", "host-memory-low", "kv-cache-none", "kv-cache-too-small", "max-model-len-too-large",
    "memory-held-by-orphan", "memory-profiling-disturbed", "memory-startup-check",
    "ollama-context-too-large", "ollama-not-on-gpu", "page-cache-counted", "plan-does-not-fit",
    "shm-too-small", "two-engines",
}  # fmt: skip
HARM = re.compile(r"prune|rm -rf|kill -9|pkill|ALLOW_LONG_MAX_MODEL_LEN=1")


def in_corpus() -> list[Finding]:
    logs = [
        digest(path.read_text(encoding="utf-8").splitlines(), path.name)
        for path in sorted(WRITTEN.glob("*.log"))
        if path.name.startswith(tuple(IDS))
    ]
    return [each for log in logs for each in run(memory.CHECKS, Snapshot(0.0, "t", logs=(log,)))]


def test_each_trouble_is_described_once() -> None:
    assert sorted(each.id for each in ABOUTS) == sorted(IDS)
    assert {check.id for check in CHECKS} == IDS


@pytest.mark.parametrize("about", ABOUTS, ids=lambda each: each.id)
def test_a_description_is_whole(about: About) -> None:
    assert about.symptoms
    assert about.cause
    assert about.reference
    assert any(each.command for each in about.remedies)


def test_commands_can_be_typed_and_do_no_harm() -> None:
    found = in_corpus()
    assert len(found) > 35
    remedies = [*(each.remedies for each in ABOUTS), *(each.remedies for each in found)]
    commands = {each.command for some in remedies for each in some if each.command}
    for command in sorted(commands):
        assert not HARM.search(command), command
        if command.startswith("sparkwell "):
            parse(command.replace("MODEL", "qwen3-8b-fp8"))


def test_evidence_names_the_log_and_the_line() -> None:
    for each in in_corpus():
        assert re.match(r"\S+\.log, line \d+: ", each.evidence[0]), each

"""Every check is known: each id that any of them can give has its words."""

import re
from pathlib import Path

import pytest

import sparkwell.checks
from sparkwell.checks import box_about, preflight, serving
from sparkwell.checks.diagnosis.judge import CHECKS, abouts
from sparkwell.checks.diagnosis.known import GROUPS, Known, asked_of, explained, known
from sparkwell.checks.host_parts import System
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.errors import UsageError
from sparkwell.doctor.fixes import AFTER_ASKING, FIXES

WANTED = {
    "memory-startup-check",
    "memory-held-by-orphan",
    "kv-cache-none",
    "kv-cache-too-small",
    "cuda-oom",
    "host-memory-low",
    "page-cache-counted",
    "memory-profiling-disturbed",
    "fp8-cutlass",
    "sm121-unsupported",
    "capability-warning",
    "image-wrong",
    "driver-too-old",
    "download-incomplete",
    "download-auth",
    "disk-full",
    "cache-not-writable",
    "port-in-use",
    "two-engines",
    "flag-removed",
    "flag-unknown",
    "max-model-len-too-large",
    "trust-remote-code-needed",
    "torchvision-mismatch",
    "nccl-failure",
    "shm-too-small",
    "engine-core-died",
    "crash-loop",
    "engine-hung",
    "load-stalled",
    "quantization-mismatch",
    "slow-single-stream",
    "low-batching",
    "prefix-cache-cold",
    "queue-growing",
    "moe-config-missing",
    "nvml-no-memory",
    "ollama-context-too-large",
    "ollama-not-on-gpu",
}
"""What issue 7 asks for."""
PACKAGE = Path(sparkwell.checks.__file__).parent


def test_all_that_was_asked_for_is_there() -> None:
    assert {each.id for each in known()} >= WANTED


def test_each_id_that_a_check_has_is_known_once() -> None:
    checks = {each.id for each in CHECKS} | {each.id for each in serving.CHECKS}
    ids = [each.id for each in known()]
    assert set(ids) == checks | {about.id for about, _ in box_about.ASKED}
    assert len(ids) == len(set(ids)) == len(abouts())


def test_each_id_that_stands_in_the_code_is_known() -> None:
    """A finding that is made without a check of its own would have no words."""
    written = set()
    for file in PACKAGE.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        written |= set(re.findall(r'Finding\(\s*"([a-z0-9-]+)"', text))
    assert written <= {each.id for each in known()}


def test_the_groups_are_those_that_are_told() -> None:
    assert {each.group for each in known()} == set(GROUPS)


@pytest.mark.parametrize("check", known(), ids=lambda each: each.id)
def test_what_is_said_of_a_check_is_whole(check: Known) -> None:
    about = check.about
    assert all(asked.endswith("?") for asked in check.asks)
    assert about.symptoms
    assert about.cause.endswith((".", ")"))
    assert about.reference
    assert not about.title.endswith(".")
    fixes = {each.fix for each in about.remedies if each.fix}
    assert fixes <= {*FIXES, *AFTER_ASKING}


@pytest.mark.parametrize("check", known(), ids=lambda each: each.id)
def test_no_command_does_harm(check: Known) -> None:
    typed = "\n".join(each.command or "" for each in check.about.remedies)
    assert not re.search(r"\bprune\b|rm -r|killall|pkill|kill -9|chmod 777|--no-verify", typed)


def test_preflights_checks_are_all_in_the_list() -> None:
    assert {each.id for each in preflight.CHECKS} <= {each.id for each in known()}


def test_an_id_is_found_in_any_case_and_near_ones_are_named() -> None:
    assert explained(" KV-Cache-None ").id == "kv-cache-none"
    with pytest.raises(UsageError) as refused:
        explained("disk-ful")
    assert "disk-full" in (refused.value.hint or "")


def test_a_log_alone_is_asked_less_than_a_host() -> None:
    assert 0 < asked_of(Snapshot(0.0, "t")) < asked_of(Snapshot(0.0, "t", system=System()))

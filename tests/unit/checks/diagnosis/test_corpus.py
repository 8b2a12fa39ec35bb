"""Every labelled log, whole and as it comes out of other tools: judge must say what is labelled."""

from collections import Counter
from collections.abc import Callable

import pytest
from tests.unit.checks.diagnosis.corpus import DATA, FOLDERS, ORIGINS, Entry, entries, said

from sparkwell.core.findings import has_errors

LABELS = entries()
HEALTHY = [each for each in LABELS if each.healthy]
AS_FILE = pytest.mark.parametrize("entry", LABELS, ids=lambda entry: entry.file)


def composed(log: bytes) -> bytes:
    """As `docker compose logs` shows it on a terminal: a prefix, and colours as vLLM sets them."""
    log = log.replace(b"INFO", b"\x1b[32mINFO\x1b[0m").replace(b"ERROR", b"\x1b[31mERROR\x1b[0m")
    log = log.replace(b"(EngineCore", b"\x1b[1;36m(EngineCore").replace(b") ", b")\x1b[0;0m ")
    prefix = b"\x1b[36mvllm-qwen3-32b  | \x1b[0m"
    return b"".join(prefix + line for line in log.splitlines(keepends=True))


def stamped(log: bytes) -> bytes:
    """As `docker logs -t` shows it, saved on Windows."""
    stamp = b"2026-11-21T10:00:00.123456789Z "
    log = b"".join(stamp + line for line in log.splitlines(keepends=True))
    return log.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def cut(log: bytes) -> bytes:
    """Copied while the next line was written."""
    return log.rstrip(b"\n") + b"\n(APIServer pid=1) INFO 11-2"


def ids(log: bytes) -> list[str]:
    return sorted(each.id for each in said(log))


AS_SEEN = [composed, stamped, cut]


@AS_FILE
def test_the_findings_are_those_of_the_label(entry: Entry) -> None:
    assert ids(entry.path.read_bytes()) == list(entry.expects)


@AS_FILE
@pytest.mark.parametrize("change", AS_SEEN, ids=lambda change: change.__name__)
def test_another_form_of_a_log_says_the_same(
    entry: Entry, change: Callable[[bytes], bytes]
) -> None:
    assert ids(change(entry.path.read_bytes())) == list(entry.expects)


@pytest.mark.parametrize("entry", HEALTHY, ids=lambda entry: entry.file)
def test_no_error_is_found_where_all_is_well(entry: Entry) -> None:
    assert not has_errors(said(entry.path.read_bytes()))


def test_every_log_has_one_label_and_every_label_a_log() -> None:
    logs = {path.resolve() for folder in FOLDERS for path in (DATA / folder).glob("*.log")}
    labelled = Counter(each.path for each in LABELS)
    assert logs <= set(labelled)
    assert all(path.is_file() for path in labelled)
    assert set(labelled.values()) == {1}


def test_a_label_says_where_its_log_is_from() -> None:
    assert {each.origin for each in LABELS} == ORIGINS
    assert all(each.after and each.machine for each in LABELS)


def test_there_are_enough_logs() -> None:
    assert len(LABELS) >= 60
    assert len(HEALTHY) >= 12

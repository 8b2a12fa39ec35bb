import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sparkwell.batch.ledger import Ledger, opened
from sparkwell.core.errors import ConflictError, UsageError

IDS = frozenset("abc")


@contextmanager
def open_in(folder: Path) -> Iterator[Ledger]:
    with opened(folder / "out.jsonl", folder / "failed.jsonl", IDS) as ledger:
        yield ledger


def test_what_was_answered_is_known_the_next_time(tmp_path: Path) -> None:
    with open_in(tmp_path) as ledger:
        assert ledger.done == frozenset()
        ledger.answered(b'{"custom_id": "a", "more": 1}')
    with open_in(tmp_path) as ledger:
        assert ledger.done == {"a"}
        ledger.answered(b'{"custom_id": "b"}')
    assert (tmp_path / "out.jsonl").read_text().count("\n") == 2


def test_half_a_line_is_taken_off(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text('{"custom_id": "a"}\n{"custom_id": "b", "resp')
    with open_in(tmp_path) as ledger:
        assert ledger.done == {"a"}
        ledger.answered(b'{"custom_id": "b"}')
    assert out.read_text() == '{"custom_id": "a"}\n{"custom_id": "b"}\n'


def test_what_failed_is_forgotten_when_it_is_tried_again(tmp_path: Path) -> None:
    with open_in(tmp_path) as ledger:
        ledger.failed(b'{"custom_id": "a"}')
    assert (tmp_path / "failed.jsonl").exists()
    with open_in(tmp_path) as ledger:
        assert ledger.done == frozenset()
    assert not (tmp_path / "failed.jsonl").exists(), "nothing failed"


@pytest.mark.parametrize("text", ['{"custom_id": "z"}\n', "notes of mine\n", "{}\n"])
def test_a_file_of_something_else_is_not_touched(tmp_path: Path, text: str) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text(text)
    with pytest.raises(UsageError, match="line 1"), open_in(tmp_path):
        pass
    assert out.read_text() == text


def test_one_at_a_time(tmp_path: Path) -> None:
    with open_in(tmp_path), pytest.raises(ConflictError, match="Another"), open_in(tmp_path):
        pass


def test_a_full_disk_leaves_whole_lines(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    with open_in(tmp_path) as ledger:
        ledger.answered(b'{"custom_id": "a"}')
        with limit_of_files(len(out.read_bytes()) + 10), pytest.raises(OSError, match="large"):
            ledger.answered(b'{"custom_id": "b", "body": "' + b"x" * 100 + b'"}')
    assert out.read_text() == '{"custom_id": "a"}\n'


@contextmanager
def limit_of_files(size: int) -> Iterator[None]:
    """Stands for a full disk: the kernel takes the first bytes of a write, then refuses."""
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.SIG_IGN
    previous = signal.signal(signal.SIGXFSZ, handler)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, previous)

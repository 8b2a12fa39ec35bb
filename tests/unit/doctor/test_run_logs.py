"""The log of a run, read no longer than somebody waits for it."""

from pathlib import Path

import pytest

from sparkwell.doctor.run_logs import pieces_of


def test_it_is_read_whole_within_the_time(tmp_path: Path) -> None:
    (tmp_path / "engine.log").write_bytes(b"a line\n" * 50_000)
    assert len(b"".join(pieces_of(tmp_path / "engine.log", 60.0))) == 350_000


def test_reading_ends_when_nobody_waits_any_more(tmp_path: Path) -> None:
    (tmp_path / "engine.log").write_bytes(b"a line\n" * 50_000)
    pieces = pieces_of(tmp_path / "engine.log", -1.0)
    with pytest.raises(TimeoutError, match=r"engine\.log was not read"):
        list(pieces)

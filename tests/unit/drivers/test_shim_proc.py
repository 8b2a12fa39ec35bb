import json
import os
from pathlib import Path

import pytest

from sparkwell.drivers.process.shim import files, ledger, proc
from sparkwell.drivers.process.shim.control import grace_of, parse

STAT = "17 (a) b) R 1 17 16 0 -1 4194560 " + " ".join(["0"] * 12) + " 4711 0 0"


def test_a_programs_name_may_hold_anything() -> None:
    found = proc.parse_stat(STAT)
    assert (found.state, found.parent, found.session, found.start_ticks) == ("R", 1, 16, 4711)
    assert found.alive


def test_a_zombie_is_not_alive() -> None:
    assert not proc.parse_stat(STAT.replace(" R ", " Z ")).alive


def test_a_process_is_named_by_pid_and_start() -> None:
    ticks = proc.start_ticks(os.getpid())
    assert ticks is not None
    assert proc.is_alive((os.getpid(), ticks))
    assert not proc.is_alive((os.getpid(), ticks + 1))
    assert proc.start_ticks(2**22 + 1) is None


def test_both_ways_of_finding_descendants_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    if not proc.HAS_CHILDREN_FILES:
        pytest.skip("this kernel has no children files")
    parent = os.getppid()
    assert os.getpid() in proc.descendants(parent)
    monkeypatch.setattr(proc, "HAS_CHILDREN_FILES", False)
    assert os.getpid() in proc.descendants(parent)


def test_looking_costs_a_bounded_share_of_a_core() -> None:
    assert ledger.next_interval(4.0, changed=True, cost_s=0.0001) == 1.0
    assert ledger.next_interval(1.0, changed=False, cost_s=0.0001) == 2.0
    assert ledger.next_interval(8.0, changed=False, cost_s=0.0001) == 8.0
    assert 0.030 / ledger.next_interval(1.0, changed=True, cost_s=0.030) <= 0.002


def test_the_ledger_is_written_when_something_has_changed(tmp_path: Path) -> None:
    path = tmp_path / files.DESCENDANTS
    book = ledger.Ledger(str(path), os.getppid())
    book.refresh(10.0)
    assert book.due_at >= 11.0
    found = json.loads(path.read_text())
    assert [os.getpid(), proc.start_ticks(os.getpid())] in found["descendants"]
    assert found["boot_id"] == proc.boot_id()


def test_a_ledger_that_cannot_be_written_is_tried_again(tmp_path: Path) -> None:
    folder = tmp_path / "later"
    book = ledger.Ledger(str(folder / files.DESCENDANTS), os.getppid())
    book.refresh(10.0)
    folder.mkdir()
    book.refresh(11.0)
    assert (folder / files.DESCENDANTS).exists()


def test_json_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    files.write_json(str(path), {"a": "é\udcff"})
    assert files.read_json(str(path)) == {"a": "é\udcff"}
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text("[1, 2]")
    assert files.read_json(str(path)) is None
    path.write_text('{"a": ')
    assert files.read_json(str(path)) is None
    assert files.read_json(str(tmp_path / "none")) is None
    assert [found.name for found in tmp_path.iterdir()] == ["x.json"]


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b"1", b"\xff", b"[" * 4000])
def test_what_is_no_request_is_said_to_be_none(line: bytes) -> None:
    with pytest.raises(ValueError, match="not a JSON object"):
        parse(line)


def test_a_grace_is_a_number_of_seconds() -> None:
    assert grace_of({}, 30.0) == 30.0
    assert grace_of({"grace_s": 5}, 30.0) == 5.0
    for wrong in ("5", None, True, -1, float("nan"), 1e9):
        with pytest.raises(ValueError, match="grace_s"):
            grace_of({"grace_s": wrong}, 30.0)

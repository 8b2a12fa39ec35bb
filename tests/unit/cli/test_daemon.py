"""What the command line does around a daemon that it starts."""

from pathlib import Path

from sparkwell.cli.daemon import LOG_BYTES, _put_aside, absolute_folders


def test_a_long_daemon_log_is_put_aside_and_a_short_one_stays(tmp_path: Path) -> None:
    log = tmp_path / "daemon.log"
    _put_aside(log)  # there is none yet
    log.write_text("short")
    _put_aside(log)
    assert log.read_text() == "short"
    log.write_bytes(b"x" * (LOG_BYTES + 1))
    _put_aside(log)
    assert not log.exists()
    assert (tmp_path / "daemon.log.1").stat().st_size == LOG_BYTES + 1


def test_folders_are_absolute_for_a_process_that_starts_elsewhere() -> None:
    environ = absolute_folders({"SPARKWELL_HOME": "home", "HF_HOME": "", "PATH": "bin"})
    assert environ == {"SPARKWELL_HOME": str(Path("home").absolute()), "HF_HOME": "", "PATH": "bin"}

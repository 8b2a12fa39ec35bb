"""Engine environments: whole or not there at all. uv is played by a small script."""

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from sparkwell.core.errors import ConflictError, EnvironmentFault
from sparkwell.drivers.environments import EnvironmentStore
from sparkwell.drivers.uv import find_uv
from sparkwell.engines.environments import ENVIRONMENTS, EngineEnvironment

SMALL = replace(ENVIRONMENTS[0], disk_bytes=1000, imports="pass")
FAKE_UV = """#!{python}
import pathlib, sys, time
words = sys.argv[1:]
if words[0] == "venv":
    folder = pathlib.Path(words[-1])
    (folder / "bin").mkdir(parents=True, exist_ok=True)
    (folder / "bin" / "python").symlink_to({python!r})
else:
    {install}
"""


@pytest.fixture
def store_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., EnvironmentStore]:
    """A store whose uv does ``install`` when packages are to be installed."""

    def make(install: str = "pass") -> EnvironmentStore:
        uv = tmp_path / "uv"
        uv.write_text(FAKE_UV.format(python=sys.executable, install=install))
        uv.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))  # no uv beside it
        monkeypatch.setenv("UV", str(uv))
        return EnvironmentStore(tmp_path / "engines", {**os.environ, "UV": str(uv)})

    return make


def quiet(_step: str, _share: float | None) -> None:
    """Report nothing."""


def left_behind(store: EnvironmentStore) -> list[str]:
    return [path.name for path in store.root.iterdir() if path.name != ".lock"]


def test_an_installed_environment_is_found_again(
    store_with: Callable[..., EnvironmentStore],
) -> None:
    store = store_with()
    assert store.find("vllm-cpu") is None
    done = store.install(SMALL, quiet)
    assert store.find("vllm-cpu") == done
    assert [entry.name for entry in store.installed()] == ["vllm-cpu"]
    assert done.version == "0.32.0"
    assert Path(done.python).exists()


def test_each_step_is_reported_and_the_share_grows(
    store_with: Callable[..., EnvironmentStore],
) -> None:
    write = "import os; os.write(os.open('/dev/null', 1), b'x' * 500); time.sleep(0.5)"
    seen: list[tuple[str, float | None]] = []
    store_with(write).install(SMALL, lambda step, share: seen.append((step, share)))
    steps = list(dict.fromkeys(step for step, _ in seen))
    assert steps == [
        "making the environment",
        "downloading and unpacking",
        "checking that it can be imported",
    ]
    assert max(share or 0 for _, share in seen) >= 0.5


def test_a_failed_install_says_why_and_leaves_nothing(
    store_with: Callable[..., EnvironmentStore],
) -> None:
    store = store_with("print('no such wheel'); sys.exit(4)")
    with pytest.raises(EnvironmentFault, match=r"exit code 4.*\n.*no such wheel"):
        store.install(SMALL, quiet)
    assert left_behind(store) == []


def test_an_engine_that_cannot_be_imported_is_not_installed(
    store_with: Callable[..., EnvironmentStore],
) -> None:
    store = store_with()
    with pytest.raises(EnvironmentFault, match=r"cannot be imported.*\n(.*\n)*.*nonsense"):
        store.install(replace(SMALL, imports="import nonsense"), quiet)
    assert left_behind(store) == []


def test_a_failed_update_leaves_the_old_environment_as_it_was(
    store_with: Callable[..., EnvironmentStore],
) -> None:
    before = store_with().install(SMALL, quiet)
    store = store_with("sys.exit(1)")
    with pytest.raises(EnvironmentFault):
        store.install(SMALL, quiet)
    assert store.find("vllm-cpu") == before


def test_no_space_is_said_before_anything_is_fetched(
    store_with: Callable[..., EnvironmentStore],
) -> None:
    store = store_with("sys.exit('must not be reached')")
    with pytest.raises(EnvironmentFault, match="No space left"):
        store.install(replace(SMALL, disk_bytes=10**18), quiet)
    assert left_behind(store) == []


def test_what_a_killed_install_left_is_removed_by_the_next_one(
    store_with: Callable[..., EnvironmentStore],
) -> None:
    store = store_with()
    (store.root / ".staging-dead" / "lib").mkdir(parents=True)
    store.install(SMALL, quiet)
    assert left_behind(store) == ["vllm-cpu"]


def test_two_installs_at_once_are_refused(store_with: Callable[..., EnvironmentStore]) -> None:
    store = store_with()

    def install_again(_step: str, _share: float | None) -> None:
        with pytest.raises(ConflictError, match="Another"):
            store.install(SMALL, quiet)

    store.install(SMALL, install_again)


def test_an_interrupt_ends_uv_and_leaves_nothing(
    store_with: Callable[..., EnvironmentStore], tmp_path: Path
) -> None:
    pid_file = tmp_path / "uv.pid"
    note = f"import os; pathlib.Path({str(pid_file)!r}).write_text(str(os.getpid()))"
    store = store_with(f"{note}; time.sleep(60)")

    def interrupt(step: str, _share: float | None) -> None:
        if pid_file.exists() and pid_file.read_text():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.install(SMALL, interrupt)
    assert left_behind(store) == []
    assert not Path(f"/proc/{pid_file.read_text()}").exists()


def test_a_killed_installer_leaves_no_environment(tmp_path: Path) -> None:
    """kill -9 in the middle: the next look finds nothing half-made."""
    program = (
        "import pathlib, sys, dataclasses\n"
        "from sparkwell.drivers.environments import EnvironmentStore\n"
        "from sparkwell.engines.environments import ENVIRONMENTS\n"
        "small = dataclasses.replace(ENVIRONMENTS[0], disk_bytes=1)\n"
        f"store = EnvironmentStore(pathlib.Path({str(tmp_path / 'engines')!r}))\n"
        "store.install(small, lambda step, share: print(step, flush=True))\n"
    )
    uv = tmp_path / "uv"
    uv.write_text(
        FAKE_UV.format(
            python=sys.executable, install="import os; os.execv('/bin/sleep', ['s', '3'])"
        )
    )
    uv.chmod(0o755)
    environ = {**os.environ, "UV": str(uv), "PATH": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-c", program], env=environ, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        while "downloading" not in process.stdout.readline():
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    store = EnvironmentStore(tmp_path / "engines", environ)
    assert store.installed() == []


def test_remove(store_with: Callable[..., EnvironmentStore]) -> None:
    store = store_with()
    with pytest.raises(EnvironmentFault, match="not installed"):
        store.remove("vllm-cpu")
    store.install(SMALL, quiet)
    store.remove("vllm-cpu")
    assert store.find("vllm-cpu") is None
    assert left_behind(store) == []


@pytest.mark.parametrize("replaced", [False, True], ids=["removed", "replaced"])
def test_a_removal_that_stops_half_way_leaves_no_half_installed(
    store_with: Callable[..., EnvironmentStore],
    monkeypatch: pytest.MonkeyPatch,
    replaced: bool,
) -> None:
    store = store_with()
    old = Path(store.install(SMALL, quiet).folder)
    (old / "old").touch()

    def stop(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sparkwell.drivers.environments.shutil.rmtree", stop)
    with pytest.raises(KeyboardInterrupt):
        store.install(SMALL, quiet) if replaced else store.remove("vllm-cpu")
    monkeypatch.undo()
    found = [entry.name for entry in store.installed()]
    assert found == (["vllm-cpu"] if replaced else [])
    assert not (old / "old").exists()
    store.install(SMALL, quiet)
    assert left_behind(store) == ["vllm-cpu"]


@pytest.mark.parametrize("file", ["requirements.txt", "sparkwell-engine.json"])
def test_a_disk_that_fills_up_later_is_said(
    store_with: Callable[..., EnvironmentStore], monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    store = store_with()
    write_text = Path.write_text

    def full(path: Path, text: str, encoding: str | None = None) -> int:
        if path.name == file:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write_text(path, text, encoding=encoding)

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(EnvironmentFault, match="No space left on device") as caught:
        store.install(SMALL, quiet)
    assert "vllm-cpu" in caught.value.message
    assert str(store.root) in caught.value.message
    assert "space" in (caught.value.hint or "")
    assert left_behind(store) == []


def test_a_folder_that_cannot_be_made_is_said(
    store_with: Callable[..., EnvironmentStore], tmp_path: Path
) -> None:
    store = store_with()
    (tmp_path / "file").touch()
    store.root = tmp_path / "file" / "engines"
    with pytest.raises(EnvironmentFault, match=r"vllm-cpu cannot be written: .*file"):
        store.install(SMALL, quiet)


def test_a_marker_that_cannot_be_read_counts_as_not_installed(
    store_with: Callable[..., EnvironmentStore],
) -> None:
    store = store_with()
    done = store.install(SMALL, quiet)
    (Path(done.folder) / "sparkwell-engine.json").write_text("{")
    assert store.find("vllm-cpu") is None


def test_without_uv_the_error_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EnvironmentFault, match="uv is needed"):
        find_uv({})


@pytest.mark.parametrize("wanted", ENVIRONMENTS, ids=lambda e: e.name)
def test_every_environment_has_its_pins(wanted: EngineEnvironment) -> None:
    assert wanted.version in wanted.requirements

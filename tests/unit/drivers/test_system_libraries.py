"""System libraries are fetched without root where they lack; apt-get is played by a script."""

import os
from pathlib import Path

import pytest

from sparkwell.core.errors import EnvironmentFault
from sparkwell.drivers.system_libraries import is_there, provide
from sparkwell.engines.environments import SystemLibrary

LACKING = SystemLibrary("libfrobnicate.so.1", debian="libfrobnicate1", fedora="frobnicate-libs")
APT_GET = """#!/bin/sh
echo "$@" >> {log}
case "$*" in
  *update*) exit 0;;
  *lists*download*) touch libfrobnicate1_1.0_all.deb;;
  *) exit {code};;
esac
"""
DPKG_DEB = """#!/bin/sh
mkdir -p "$3/usr/lib" && echo the library > "$3/usr/lib/libfrobnicate.so.1.0"
ln -s libfrobnicate.so.1.0 "$3/usr/lib/libfrobnicate.so.1"
"""


def machine(folder: Path, monkeypatch: pytest.MonkeyPatch, **programs: str) -> None:
    """A machine whose PATH begins with these programs."""
    for name, text in programs.items():
        program = folder / name.replace("_", "-")
        program.write_text(text)
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_what_the_machine_has_is_not_fetched(tmp_path: Path) -> None:
    there = SystemLibrary("libc.so.6", debian="none", fedora="none")
    provide([there], tmp_path / "lib", {})
    assert is_there("libc.so.6")
    assert not (tmp_path / "lib").exists()


def test_a_lacking_library_is_unpacked_by_lists_of_our_own_when_the_machines_are_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log"
    machine(tmp_path, monkeypatch, apt_get=APT_GET.format(log=log, code=100), dpkg_deb=DPKG_DEB)
    provide([LACKING], tmp_path / "lib", os.environ)
    assert (tmp_path / "lib" / "libfrobnicate.so.1").read_text() == "the library\n"
    assert [line.split()[-1] for line in log.read_text().splitlines()] == [
        "libfrobnicate1",
        "update",
        "libfrobnicate1",
    ]


def test_where_it_cannot_be_fetched_the_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(tmp_path, monkeypatch, apt_get="#!/bin/sh\nexit 100\n", dpkg_deb=DPKG_DEB)
    with pytest.raises(EnvironmentFault, match=r"libfrobnicate\.so\.1") as refused:
        provide([LACKING], tmp_path / "lib", os.environ)
    assert "apt install libfrobnicate1" in (refused.value.hint or "")
    assert "dnf install frobnicate-libs" in (refused.value.hint or "")

"""The unit of systemd: every word of it read back as systemd reads it."""

import shlex
import sys
from pathlib import Path

import pytest

from sparkwell.cli.context import Context
from sparkwell.cli.service import _unit_file, render_unit
from sparkwell.core.errors import UsageError

NASTY = '/srv/50% of "it" for $5 \\ or less'


def unit(environ: dict[str, str] | None = None, *, config: str = "", system: bool = False) -> str:
    return render_unit(Context(environ or {}, Path(config) if config else None, (), system=system))


def words(text: str, key: str) -> list[str]:
    """The words behind ``key=``, as systemd takes them: quotes as a shell's, then %% and $$.

    (systemd also knows \\n and the like inside quotes; a shell does not, and none is written.)
    """
    lines = [line for line in text.splitlines() if line.startswith(f"{key}=")]
    found = [word for line in lines for word in shlex.split(line.partition("=")[2])]
    assert all(word.replace("%%", "").count("%") == 0 for word in found)
    return [word.replace("%%", "%") for word in found]


def test_every_word_is_quoted() -> None:
    command = next(line for line in unit().splitlines() if line.startswith("ExecStart="))
    assert command == f'ExecStart="{sys.executable}" "-m" "sparkwell" "serve"'


def test_words_with_marks_of_systemd_arrive_as_they_are() -> None:
    text = unit({"SPARKWELL_HOME": NASTY}, config=f"{NASTY}/c.yaml")
    # In a shell's double quotes $$ is as good as \$$; shlex leaves both alone.
    assert words(text, "ExecStart")[3:5] == ["--config", f"{NASTY}/c.yaml".replace("$", "$$")]
    assert words(text, "Environment") == [f"SPARKWELL_HOME={NASTY}"]


def test_the_end_of_a_line_is_refused() -> None:
    for environ, config in (({"SPARKWELL_HOME": "/a\nUser=root"}, ""), ({}, "/a\rb")):
        with pytest.raises(UsageError, match="the end of a line"):
            unit(environ, config=config)


def test_relative_folders_are_ignored_or_made_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = unit({"XDG_STATE_HOME": "state", "XDG_DATA_HOME": "/data", "SPARKWELL_HOME": "home"})
    assert words(text, "Environment") == [f"SPARKWELL_HOME={tmp_path}/home", "XDG_DATA_HOME=/data"]


@pytest.mark.parametrize("named", ["", "relative"])
def test_a_relative_configuration_folder_does_not_take_the_unit(named: str) -> None:
    context = Context({"HOME": "/home/me", "XDG_CONFIG_HOME": named}, None, (), system=False)
    assert _unit_file(context) == Path("/home/me/.config/systemd/user/sparkwell.service")


def test_the_unit_lies_where_the_user_keeps_configuration() -> None:
    context = Context({"XDG_CONFIG_HOME": "/etc/me"}, None, (), system=False)
    assert _unit_file(context) == Path("/etc/me/systemd/user/sparkwell.service")


def test_only_the_system_can_wait_for_the_network() -> None:
    system, user = unit(system=True), unit()
    for line in ("Wants=network-online.target", "After=network-online.target"):
        assert line in system.splitlines()
        assert line not in user
    assert "WantedBy=multi-user.target" in system
    assert "WantedBy=default.target" in user


def test_a_restart_leaves_the_engines_alone() -> None:
    assert "KillMode=process" in unit().splitlines()

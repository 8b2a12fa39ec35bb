"""Where things lie, for every kind of environment."""

import stat
from pathlib import Path

import pytest

from sparkwell.app.paths import Paths, find_paths

HOME = {"HOME": "/home/u"}


def folders(paths: Paths) -> tuple[str, ...]:
    return (str(paths.config), str(paths.data), str(paths.state), str(paths.cache))


DEFAULTS = (
    "/home/u/.config/sparkwell",
    "/home/u/.local/share/sparkwell",
    "/home/u/.local/state/sparkwell",
    "/home/u/.cache/sparkwell",
)


def test_the_defaults_of_the_xdg_specification() -> None:
    assert folders(find_paths(HOME)) == DEFAULTS


def test_the_variables_of_the_xdg_specification() -> None:
    environ = {
        **HOME,
        "XDG_CONFIG_HOME": "/c",
        "XDG_DATA_HOME": "/d",
        "XDG_STATE_HOME": "/s",
        "XDG_CACHE_HOME": "/k",
    }
    expected = ("/c/sparkwell", "/d/sparkwell", "/s/sparkwell", "/k/sparkwell")
    assert folders(find_paths(environ)) == expected


@pytest.mark.parametrize("value", ["", "relative", "./here", "../up"])
@pytest.mark.parametrize(
    "name", ["XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"]
)
def test_what_is_not_absolute_is_ignored(name: str, value: str) -> None:
    assert folders(find_paths({**HOME, name: value})) == DEFAULTS


def test_without_home_the_user_database_knows() -> None:
    assert find_paths({}).config == Path.home() / ".config" / "sparkwell"


def test_sparkwell_home_holds_everything() -> None:
    environ = {**HOME, "SPARKWELL_HOME": "/srv/a", "XDG_DATA_HOME": "/d"}
    expected = ("/srv/a/config", "/srv/a/data", "/srv/a/state", "/srv/a/cache")
    assert folders(find_paths(environ)) == expected
    assert folders(find_paths(environ, system=True)) == expected


def test_sparkwell_home_may_be_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_paths({"SPARKWELL_HOME": "here"}).state == tmp_path / "here" / "state"


def test_the_system_has_one_folder() -> None:
    root = "/var/lib/sparkwell"
    expected = (f"{root}/config", f"{root}/data", f"{root}/state", f"{root}/cache")
    assert folders(find_paths(HOME, system=True)) == expected


def test_what_lies_where() -> None:
    paths = find_paths({"SPARKWELL_HOME": "/h"})
    assert {
        name: str(getattr(paths, name))
        for name, value in vars(Paths).items()
        if isinstance(value, property)
    } == {
        "config_file": "/h/config/sparkwell.yaml",
        "recipes": "/h/config/recipes",
        "tuned": "/h/config/tuned",
        "engines": "/h/data/engines",
        "pages": "/h/state/pages.sock",
        "gateway": "/h/state/gateway.sock",
        "guard": "/h/state/guard",
        "instances": "/h/state/instances",
        "containers": "/h/state/containers",
        "ollama": "/h/state/ollama",
        "store": "/h/state/sparkwell.db",
        "benchmarks": "/h/state/benchmarks",
        "tunings": "/h/state/tunings",
        "socket": "/h/state/daemon.sock",
        "lock": "/h/state/daemon.lock",
        "admin_key": "/h/state/admin.key",
        "keys_marker": "/h/state/keys.used",
        "metrics": "/h/state/metrics.db",
        "daemon_log": "/h/state/daemon.log",
    }


def test_folders_are_made_for_this_user_alone(tmp_path: Path) -> None:
    paths = find_paths({"SPARKWELL_HOME": str(tmp_path / "h")})
    paths.make()
    paths.make()
    for folder in (paths.state, paths.instances, paths.cache):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not paths.config.exists()  # the user's to make

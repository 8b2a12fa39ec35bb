"""A real daemon with a fake engine behind it, and the environments with the packages."""

import os
from collections.abc import Callable, Iterator

import pytest

from sparkwell.testing.environment import install_fake_environment
from tests.acceptance.conftest import Home
from tests.clients.packages import Outcomes, interpreter, run

TOOLS = ("--set", "enable_auto_tool_choice=true", "--set", "tool_call_parser=hermes")
Ask = Callable[[str], Outcomes]


def fake_home(factory: pytest.TempPathFactory) -> Home:
    """A home whose engines say 200 tokens a second."""
    home = Home(factory.mktemp("home"))
    install_fake_environment(home.paths.engines, tokens_per_s=200)
    return home


def need(script: str) -> None:
    """Skip where the packages are not installed; in CI that is a failure."""
    if not interpreter(script).exists():
        say = pytest.fail if os.environ.get("CI") else pytest.skip
        say("the client packages are not here: run `make clients`")


def asker(home: Home, engine: str = "fake", **variables: str) -> Ask:
    """Run each script once, when its first outcome is asked for."""
    known: dict[str, Outcomes] = {}

    def ask(script: str) -> Outcomes:
        need(script)
        if script not in known:
            known[script] = run(script, home.url, engine=engine, **variables)
        return known[script]

    return ask


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A daemon with the demo model ready, on the fake engine."""
    home = fake_home(tmp_path_factory)
    try:
        home.serve()
        home.ok("up", "demo-qwen3", *TOOLS)
        yield home
    finally:
        home.clean_up()

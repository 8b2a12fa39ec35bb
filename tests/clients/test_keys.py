"""What the packages make of keys: good ones, wrong ones, and such as may do little."""

import re
from collections.abc import Iterator

import pytest

from tests.clients.conftest import TOOLS, Ask, asker, fake_home
from tests.clients.packages import Trial, trials

SECRET = re.compile(r"sk-sw-[\w-]{43}")
SCRIPT = "with_keys"


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    home = fake_home(tmp_path_factory)
    try:
        home.serve()
        home.ok("up", "demo-qwen3", *TOOLS)
        home.ok("up", "demo-llama")
        good = SECRET.search(home.ok("keys", "add", "good"))
        limits = ("--models", "demo-llama", "--rpm", "1")
        limited = SECRET.search(home.ok("keys", "add", "limited", *limits))
        assert good
        assert limited
        yield asker(home, "fake", CLIENT_KEY=good[0], CLIENT_LIMITED_KEY=limited[0])
    finally:
        home.clean_up()


@pytest.mark.parametrize("trial", trials(SCRIPT), ids=lambda trial: trial.name)
def test_it_works(outcomes: Ask, trial: Trial) -> None:
    outcome = outcomes(SCRIPT)[trial.name]
    assert outcome["ok"], outcome["error"]

"""The same trials against the real vLLM with the demo model, one start for all."""

from collections.abc import Iterator

import pytest

from tests.acceptance.test_real_engine import START_S, real_home
from tests.clients.conftest import TOOLS, Ask, asker
from tests.clients.packages import PACKAGES, Trial, trials

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]
# The demo model would go on with white space for ever where JSON allows it.
FORMS = ("--set", 'structured_outputs_config={"backend":"xgrammar","disable_any_whitespace":true}')
ALL = [one for script in PACKAGES for one in trials(script) if not one.fake_only]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    home = real_home(tmp_path_factory.mktemp("home"))
    try:
        home.serve()
        home.ok("up", "demo-qwen3", *TOOLS, *FORMS, timeout=START_S)
        yield asker(home, "vllm")
    finally:
        home.clean_up()


@pytest.mark.parametrize("trial", ALL, ids=lambda trial: f"{trial.script}-{trial.name}")
def test_it_works(outcomes: Ask, trial: Trial) -> None:
    outcome = outcomes(trial.script)[trial.name]
    assert outcome["ok"], outcome["error"]

"""Every client package, through a real daemon, against the fake engine: trial by trial."""

import pytest

from tests.acceptance.conftest import Home
from tests.clients.conftest import Ask, asker
from tests.clients.packages import PACKAGES, SCRIPTS, Trial, trials

pytestmark = pytest.mark.timeout(400)
ALL = [trial for script in PACKAGES for trial in trials(script)]


@pytest.fixture(scope="module")
def outcomes(served: Home) -> Ask:
    return asker(served)


@pytest.mark.parametrize("trial", ALL, ids=lambda trial: f"{trial.script}-{trial.name}")
def test_it_works(outcomes: Ask, trial: Trial) -> None:
    outcome = outcomes(trial.script)[trial.name]
    assert outcome["ok"], outcome["error"]


def test_every_script_is_tried() -> None:
    scripts = {file.stem for file in SCRIPTS.glob("*.py")} - {"trying", "with_keys"}
    assert scripts == set(PACKAGES)
    assert all(trials(script) for script in scripts)

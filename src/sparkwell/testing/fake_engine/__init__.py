"""A stand-in for vLLM: ``python -m sparkwell.testing.fake_engine --model M --port 8101``.

It takes vLLM's own arguments and ignores those it has no use for. What it shall do beyond
serving comes from its script (see ``script.Script``): flags ``--fake-…``, or the environment
variable SPARKWELL_FAKE with a JSON object; flags win.

    SPARKWELL_FAKE='{"phases": {"weights": 0.5}, "tokens_per_s": 50}'
    --fake-phases weights=0.5 --fake-tokens-per-s 50

Rooms: ``arguments`` and ``script`` say what was asked for; ``wording`` holds vLLM's log lines by
version, ``failures`` its last words; ``core_process`` is the child that stands for EngineCore;
``generation`` decides what to answer, ``shapes`` how it looks, ``server`` sends it.
"""

import sys

ENVIRONMENT_VARIABLE = "SPARKWELL_FAKE"


def command() -> tuple[str, ...]:
    """Begin an argv that runs the fake engine with this interpreter."""
    return (sys.executable, "-m", __name__)

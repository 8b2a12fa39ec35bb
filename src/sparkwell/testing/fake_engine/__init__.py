"""A stand-in for vLLM: ``python -m sparkwell.testing.fake_engine --model M --port 8101``.

It takes vLLM's own arguments and ignores those it has no use for. What it shall do beyond
serving comes from its script (see ``script.Script``): flags ``--fake-…``, or the environment
variable SPARKWELL_FAKE with a JSON object; flags win.

    SPARKWELL_FAKE='{"phases": {"weights": 0.5}, "tokens_per_s": 50}'
    --fake-phases weights=0.5 --fake-tokens-per-s 50

Rooms: ``arguments`` and ``script`` say what was asked for, ``reading`` and ``starts`` find it out;
``life`` runs it, from ``binding`` and ``loading`` to one of several ends. ``wording`` holds vLLM's
log lines by version, ``failures`` its last words. ``core_process`` is the child that stands for
EngineCore, ``memory`` what that holds, in the program ``memory_holder``. ``dialects`` read a
request into ``asked``; ``generation`` and ``replies`` decide what to answer, ``dialects`` and
``shapes`` how it looks, ``answering`` when. ``routes`` says which path speaks which dialect,
``server`` sends it. ``hanging`` and ``sleeping`` keep answers back.
"""

import sys

ENVIRONMENT_VARIABLE = "SPARKWELL_FAKE"


def command() -> tuple[str, ...]:
    """Begin an argv that runs the fake engine with this interpreter."""
    return (sys.executable, "-m", __name__)

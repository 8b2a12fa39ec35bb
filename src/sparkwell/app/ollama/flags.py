"""The one flag that a model in Ollama has: its context."""

from collections.abc import Mapping

from sparkwell.app.settings.config import Settings
from sparkwell.catalog.recipe import FlagValue
from sparkwell.core.errors import UsageError

NUM_CTX = "num_ctx"


def wanted_context(name: str, settings: Settings, flags: Mapping[str, FlagValue]) -> int | None:
    """Tokens of context that the flags or this host's settings ask for; None where neither does.

    Raises UsageError for another flag, and for what is no whole number.
    """
    host = settings.models.get(name)
    every = {**(host.flags if host else {}), **flags}
    others = [flag for flag in every if flag != NUM_CTX]
    if others:
        raise UsageError(
            f"{name} has no flag {others[0]}.",
            hint=f"A model in Ollama takes {NUM_CTX} only: the tokens of its context.",
        )
    wanted = every.get(NUM_CTX)
    if wanted is not None and (isinstance(wanted, bool) or not isinstance(wanted, int)):
        raise UsageError(f"{NUM_CTX} takes a whole number, not {wanted!r}.")
    return wanted

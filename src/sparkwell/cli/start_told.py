"""How a start ended, as its status tells it."""

import re

from sparkwell.cli.client import Json
from sparkwell.cli.finding_text import plain
from sparkwell.cli.finding_told import StartFailedError, told_findings

_WHY = {"asleep": "it sleeps, and there is no room to wake it (--switch makes room)"}
"""Why a model is not ready that has not failed."""
_HOW_IT_ENDED = re.compile(r"(\((?:exit code -?\d+|killed by signal \d+)\)): .*", re.DOTALL)


def checked(instance: Json) -> Json:
    """The status if the model is ready; raises StartFailedError with why it is not.

    That is what the daemon has found in its log, else the log's end.
    """
    if instance["state"] == "ready":
        return instance
    found = told_findings(instance.get("findings"))
    lines = "\n".join(f"  {plain(line)}" for line in instance["last_lines"][-12:])
    ending = f" The end of its log:\n{lines}" if lines and not found else ""
    error = plain(instance.get("error") or _WHY.get(instance["state"], "it was stopped"))
    if found:  # they quote what the engine said, and where
        error = _HOW_IT_ENDED.sub(r"\1", error)
    log = f"The whole log: `sparkwell logs {instance['model']}`." if lines else None
    hints = [each for each in (instance.get("hint"), log) if each]
    raise StartFailedError(
        f"{instance['model']} did not start: {error}.{ending}",
        hint="\n".join(hints) or None,
        findings=found,
    )

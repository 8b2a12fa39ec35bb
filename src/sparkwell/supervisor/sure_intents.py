"""Intents that keep nobody from doing what they say: what cannot be written is done all the same.

An engine that is not ended, or not launched, because its intent could not be written would hold up
everybody without end.
"""

import logging
from collections.abc import Mapping

from sparkwell.supervisor.aides import Intents

logger = logging.getLogger(__name__)
_NOT_WRITTEN = -1


class SureIntents:
    """Those of ``intents``, without their exceptions: these are in the log."""

    def __init__(self, intents: Intents) -> None:
        self._intents = intents

    def begin(
        self,
        kind: str,
        model: str | None = None,
        instance: str | None = None,
        data: Mapping[str, object] | None = None,
    ) -> int:
        """Write down that this is about to be done."""
        try:
            return self._intents.begin(kind, model, instance, data)
        except Exception:
            logger.exception("The intent to %s %s cannot be written", kind, model)
            return _NOT_WRITTEN

    def finish(self, intent: int, outcome: str) -> None:
        """It has been done, or has failed."""
        if intent == _NOT_WRITTEN:
            return
        try:
            self._intents.finish(intent, outcome)
        except Exception:
            logger.exception("That an intent is over (%s) cannot be written", outcome)

"""Starts that nobody named: for a request, after a crash, to go back after a failed switch."""

from collections.abc import Mapping
from dataclasses import replace

from sparkwell.app.daemon.seen import Seen
from sparkwell.app.daemon.terms import TermsMaker
from sparkwell.app.launching.flags import StartWish
from sparkwell.app.launching.starter import Start, Starter, given_labels, wish_of
from sparkwell.app.served import Served, lost
from sparkwell.core.errors import ConflictError, NotReadyError, SparkwellError
from sparkwell.core.launch import LaunchSpec
from sparkwell.supervisor.aides import Prepare, Provide
from sparkwell.supervisor.terms import Terms

OTHERS = "what is left to other models"


class OnDemandStarts:
    """Makes them with what a person had given the model's last run: the supervisor's OnDemand.

    ``seen`` is set when there is a supervisor to look at.
    """

    def __init__(self, starter: Starter, terms: TermsMaker) -> None:
        self._starter = starter
        self._terms = terms
        self.seen: Seen | None = None

    async def start(
        self, model: str, before: Mapping[str, str] | None, beside: Mapping[str, int]
    ) -> tuple[Prepare, Provide]:
        """The start of a model beside others, with its last run's flags.

        Raises SparkwellError when it cannot be started.
        """
        served = self._served(model)
        wish = wish_of(before or {}, beside)
        if served.ollama:
            await self._starter.sizes({served: wish})
            await self._starter.ollama.must_be_here(served)
        start = self._made(served, wish, self._left_to_others(model, beside))
        return start.prepare, start.provide

    def _made(self, served: Served, wish: StartWish, left: Mapping[str, int]) -> Start:
        """The start within what the box has given it; where no plan is so small, beside the others.

        What it had before may be a little too little by now: the box sees whether it still fits.
        """
        given = given_labels(wish)
        try:
            kept = replace(wish, beside={**wish.beside, **left})
            return self._starter.start(served, kept, given)
        except ConflictError:
            if not left:
                raise
            return self._starter.start(served, wish, given)

    def _left_to_others(self, model: str, beside: Mapping[str, int]) -> dict[str, int]:
        """What the box has not given to this start, though nobody holds it now."""
        total = self._terms.budget.total_bytes
        coming = self.seen.supervisor.of(model) if self.seen else None
        if coming is None or coming.held_bytes is None or total is None:
            return {}
        left = total - sum(beside.values()) - coming.held_bytes
        return {OTHERS: left} if left > 0 else {}

    def terms(self, spec: LaunchSpec, *, kept: bool) -> Terms:
        """The terms of an engine that was found running, though the catalog may have lost it."""
        try:
            served = self._served(spec.model)
        except SparkwellError:
            served = lost(spec.model)
        return self._terms.of_spec(served, spec, by_person=kept)

    def _served(self, model: str) -> Served:
        if self.seen is None:
            raise NotReadyError("The daemon has not begun yet.", hint="Try again in a moment.")
        return self.seen.served(model)

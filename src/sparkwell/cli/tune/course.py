"""A tuning as the command line runs it: progress, what is kept, the machine left as it was."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from sparkwell.app.tuning import keeping
from sparkwell.app.tuning.applying import apply
from sparkwell.app.tuning.beginning import place
from sparkwell.app.tuning.foretelling import Plans
from sparkwell.app.tuning.ledger import Ledger, Step
from sparkwell.app.tuning.tuner import Tuner
from sparkwell.cli.alone import alone_here
from sparkwell.cli.bench.measuring import many_files
from sparkwell.cli.client import run
from sparkwell.cli.earlier import Earlier, bring_back, earlier
from sparkwell.cli.progress import step_display
from sparkwell.cli.stopping import until_stopped
from sparkwell.cli.tune.before import Before, BeforeFile, right
from sparkwell.cli.tune.rig import DaemonRig
from sparkwell.core.errors import ConflictError, SparkwellError

if TYPE_CHECKING:
    from sparkwell.app.tuning.document import Place, Tuning
    from sparkwell.cli.context import Context
    from sparkwell.cli.progress import Show


class Course:
    """One call of `sparkwell tune`. ``run`` fills the tuning in."""

    def __init__(self, context: "Context", file: Path, tuning: "Tuning", *, quiet: bool) -> None:
        self._context, self._file, self._tuning = context, file, tuning
        self._quiet = quiet
        self._before = BeforeFile(context.paths.tunings, tuning.model)
        version = None if tuning.place is None else tuning.place.version
        self._rig = DaemonRig(context, tuning.model, version, self._before.starting)

    def run(self) -> None:
        """Search, check, write the overlay; whatever happens, what was there before is again."""
        keeping.save(self._file, self._tuning)  # a disk that is full is told before minutes pass
        many_files()
        with alone_here(self._context.paths.tunings):
            before = self._noted()
            try:
                self._go()
            finally:
                self._bring_back(before)

    def make_good(self) -> None:
        """Bring back what a tuning that was killed after its outcome has left behind.

        One that still runs does that itself, and another call may have done it meanwhile.
        """
        if self._before.read() is None:
            return
        with suppress(ConflictError), alone_here(self._context.paths.tunings):
            if self._before.read() is not None:
                self._bring_back(self._noted())

    def _noted(self) -> Before:
        """What is to be brought back, kept: a tuning that is killed cannot say it any more."""
        model = self._tuning.model
        now = run(earlier(self._context, model))
        before = right(model, self._before.read(), now)
        self._before.keep(before)
        return before

    def _bring_back(self, before: Before) -> None:
        """A second Ctrl-C leaves the note: the next tuning does it."""
        bring_back(self._context, before.model, Earlier(before.daemon, before.given))
        self._before.clear()

    def _go(self) -> None:
        with step_display("tune") as show:
            ledger = self._begun(show)
            try:
                uvloop.run(until_stopped(self._work(ledger)))
            finally:
                with suppress(SparkwellError):  # then what ended it says so
                    ledger.write()  # the time of a trial that was broken off counts
        self._apply(ledger)

    def _begun(self, show: "Show") -> Ledger:
        """The ledger; it tells each step, unless this is quiet."""

        def tell(step: Step) -> None:
            if not self._quiet:
                _show(show, step, self._tuning.budget_s)

        return Ledger(self._tuning, lambda kept: keeping.save(self._file, kept), tell)

    async def _work(self, ledger: Ledger) -> None:
        await Tuner(ledger, self._rig, self._plans, self._place).run()

    def _plans(self, version: str) -> Plans:
        tuning, own = self._tuning, self._context.models.changes_of(self._tuning.model).flags
        return Plans(self._context.planning, tuning.model, version, {**own, **tuning.given})

    def _place(self, engine: str, version: str) -> "Place":
        return place(self._context.planning.here, engine, version)

    def _apply(self, ledger: Ledger) -> None:
        """The overlay, where the gain holds."""
        tuning, context = self._tuning, self._context
        if tuning.outcome is None or not tuning.outcome.holds:
            return
        own = context.models.changes_of(tuning.model).flags
        done = apply(tuning, context.paths.tuned, own)
        ledger.applied(str(done.file), done.outweighed)


def _show(show: "Show", step: Step, budget_s: float) -> None:
    which = "" if step.trial is None else f"trial {step.trial}: "
    best = "" if step.best is None else f"best so far {step.best.said} (trial {step.best.number})"
    show(f"{which}{step.said}", min(1.0, step.spent_s / budget_s), best)

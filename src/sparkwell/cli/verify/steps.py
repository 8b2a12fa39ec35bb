"""The steps of `sparkwell verify`, one after the other: how each ended is kept for the report."""

import signal
import time
from collections.abc import Callable

from sparkwell.app.verifying.gathered import Gathered, State, Step
from sparkwell.app.verifying.looking import system_of
from sparkwell.cli.client import Json
from sparkwell.cli.context import Context
from sparkwell.cli.verify import work
from sparkwell.cli.verify.measure import bench
from sparkwell.cli.verify.session import Session, Wish, instance_of
from sparkwell.core.errors import EnvironmentFault, SparkwellError
from sparkwell.core.findings import Finding

_UNTIL_MEASURED = (("preflight", work.preflight), ("up", work.up), ("bench", bench))


def gather(context: Context, wish: Wish, status: Json | None, at: float) -> Gathered:
    """Do all steps. Whatever fails, or is stopped by hand, stands in what is returned."""
    session = Session(context, wish, _nothing_yet(context, wish, status, at), status)
    try:
        for name, step in _UNTIL_MEASURED:
            if session.found.failed is None:
                _take(session, name, step)
        if not session.found.stopped:  # after a failure as well: it may say why
            _take(session, "doctor", work.doctor)
    finally:
        _take(session, "down", work.down)
    return session.found


def _nothing_yet(context: Context, wish: Wish, status: Json | None, at: float) -> Gathered:
    from sparkwell.hardware.detect import read_facts

    model = wish.recipe.name
    return Gathered(
        model=model,
        suite=wish.suite,
        repeats=wish.repeats,
        at=at,
        machine=context.models.planning.here,
        system=system_of(read_facts()),
        ran_before=instance_of(status, model) is not None,
    )


def _take(session: Session, name: str, step: Callable[[Session], str | None]) -> None:
    """Do a step and note how it ended; SIGTERM and the terminal's end do it as Ctrl-C does."""
    _hear(name)
    began, error = time.monotonic(), None
    state: State = "done"
    try:
        why = step(session)
        if why is not None:
            state, error = "skipped", SparkwellError(why)
    except KeyboardInterrupt:
        state, error = _STOPPED
    except SparkwellError as caught:
        state, error = "failed", caught
    except OSError as caught:
        refused = EnvironmentFault(f"The system refused: {caught}.")
        state, error = _STOPPED if _was_stopped(caught) else ("failed", refused)
    session.found.steps.append(_noted(name, state, time.monotonic() - began, error))


_STOPPED: tuple[State, SparkwellError] = "stopped", SparkwellError("stopped by hand")


def _was_stopped(error: BaseException | None) -> bool:
    """Whether it came while Ctrl-C was heeded: what the same Ctrl-C ended took no more words."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None


def _hear(step: str) -> None:
    """The last step is done to its end without a terminal too: nobody is left who could do it."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup has it ignored
        last = step == "down"
        signal.signal(signal.SIGHUP, signal.SIG_IGN if last else signal.default_int_handler)


def _noted(name: str, state: State, seconds: float, error: SparkwellError | None) -> Step:
    if error is None:
        return Step(name, state, seconds)
    findings: tuple[Finding, ...] = getattr(error, "findings", ())
    return Step(name, state, seconds, error.message, error.hint, findings)

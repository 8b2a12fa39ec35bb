"""What the steps of `sparkwell verify` do: each what its own command does, kept for the report.

Each returns why it was left out, None where it was done; raises SparkwellError where it failed.
"""

from contextlib import suppress
from typing import TYPE_CHECKING

from sparkwell.app.verifying.looking import plan_of_start
from sparkwell.cli.client import AdminClient, NoDaemonError, run
from sparkwell.cli.daemon import daemon_gone
from sparkwell.cli.verify.measure import sample
from sparkwell.cli.verify.session import GONE, Session, instance_of
from sparkwell.core.errors import EnvironmentFault
from sparkwell.core.findings import Finding, Severity

if TYPE_CHECKING:
    from sparkwell.planner.plan import Plan

_RUNS = "the model runs already"


class PreflightFoundError(EnvironmentFault):
    """What pre-flight has against the start: ``findings``, the first of which is told."""

    def __init__(self, model: str, findings: tuple[Finding, ...]) -> None:
        also = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
        hint = f"`sparkwell preflight {model}` says what to do."
        super().__init__(f"{findings[0].title}{also}.", hint=hint)
        self.findings = findings


def preflight(session: Session) -> str | None:
    """Look whether the start can be; PreflightFoundError where something speaks against it."""
    from sparkwell.app.preflight.report import preflight as look
    from sparkwell.cli.preflight import start_asked

    found, wish, models = session.found, session.wish, session.context.models
    if found.ran_before:
        return _RUNS
    session.say("preflight")
    found.plan = _planned(session)
    report = run(look(models, start_asked(session.context, found.model, wish.flags, wish.profile)))
    found.preflight = dict(report.to_json())
    errors = tuple(each for each in report.findings if each.severity is Severity.ERROR)
    if errors:
        raise PreflightFoundError(found.model, errors)
    return None


def _planned(session: Session) -> "Plan | None":
    """The plan of the start, for a report of one that fails."""
    from sparkwell.app.planning.planning import Wish, parse_flags

    wish = Wish(profile=session.wish.profile, flags=parse_flags(session.wish.flags))
    return plan_of_start(session.context.models, session.wish.recipe, wish)


def up(session: Session) -> str | None:
    """Start the model, unless it is there."""
    from sparkwell.cli.bringing_up import Wanted, bring_up, check_request

    context, found, wish = session.context, session.found, session.wish
    there = instance_of(session.status, found.model)
    if there is not None and there["state"] == "ready":
        session.is_up(there)
        return _RUNS
    session.say("up")
    wanted = Wanted((found.model,), wish.flags, wish.profile)
    check_request(context, wanted)
    session.before = sample()
    [instance] = run(bring_up(context, wanted, quiet=wish.quiet, begun=session.begun))
    if instance["start_s"] is None:  # an engine that an earlier daemon had left
        session.begun.models = ()
    found.ran_before = not session.began  # somebody else may have been quicker
    session.is_up(instance)
    return None


def doctor(session: Session) -> str | None:
    """Have the host looked at, whatever came before."""
    from sparkwell.app.diagnosing.diagnosis import diagnose, look_at_host

    session.say("doctor")
    context, model = session.context, session.found.model
    snapshot = run(look_at_host(context.models, model, context.config_file))
    session.found.doctor = dict(diagnose(snapshot, model).to_json())
    return None


def down(session: Session) -> str | None:
    """Stop what was started here; a daemon too that was not there, unless it serves others."""
    found = session.found
    if not session.began and (found.ran_before or not session.daemon_is_ours):
        return "it ran before, and goes on" if found.ran_before else "nothing was started"
    if session.wish.keep and not found.stopped:
        return "--keep"
    session.say("down")
    run(_end(session))
    return None


async def _end(session: Session) -> None:
    paths = session.context.paths
    with suppress(NoDaemonError):
        async with AdminClient(paths) as client:
            if session.began:
                await client.post("down", {"model": session.found.model})
            left = (await client.get("status"))["instances"]
            if session.daemon_is_ours and all(each["state"] in GONE for each in left):
                await client.post("shutdown", {"stop_engines": True})
                await daemon_gone(paths)

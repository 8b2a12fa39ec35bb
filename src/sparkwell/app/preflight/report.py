"""Pre-flight: what would make a start fail, found before minutes are lost."""

from dataclasses import dataclass, replace

from sparkwell.app.launching.ways import Driver, Way
from sparkwell.app.preflight.plan import summary_of
from sparkwell.app.preflight.scope import Asked, find_way, scope_of
from sparkwell.app.service import ModelService
from sparkwell.checks.preflight import preflight as judge
from sparkwell.checks.snapshot import Gap, Snapshot
from sparkwell.core.errors import EnvironmentFault
from sparkwell.core.findings import Finding, Severity, fixes, has_errors
from sparkwell.doctor.background import in_background
from sparkwell.doctor.collect import collect
from sparkwell.doctor.fixes import Fixed, apply
from sparkwell.doctor.scope import Scope

__all__ = ["Asked", "Report", "must_pass", "preflight", "preflight_and_fix"]

PLAN_LIMIT_S = 60.0
FIX_LIMIT_S = 300.0


@dataclass(frozen=True, slots=True)
class Report:
    """What pre-flight says of one start. ``fixed`` is what was done about it before."""

    model: str
    driver: Driver
    findings: tuple[Finding, ...]
    snapshot: Snapshot
    fixed: tuple[Fixed, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing speaks against the start."""
        return not has_errors(self.findings)

    def to_json(self) -> dict[str, object]:
        """The report as a JSON object; its keys are stable."""
        return {
            "model": self.model,
            "driver": self.driver,
            "ok": self.ok,
            "findings": [finding.to_json() for finding in self.findings],
            "fixed": [each.to_json() for each in self.fixed],
        }


class RefusedStart(EnvironmentFault):
    """A start that something speaks against: ``findings``, the first of which is told."""

    def __init__(self, message: str, findings: tuple[Finding, ...], *, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.findings = findings


async def preflight(models: ModelService, asked: Asked) -> Report:
    """Look at everything that the start needs, and judge it.

    Raises UsageError for flags that cannot be planned. Nothing on the host is changed.
    """
    way = asked.way or find_way(models, asked)
    scope = scope_of(models, asked, way)
    snapshot = await collect(scope)
    snapshot = await with_plan(of_this_daemon(snapshot, scope), models, asked, way)
    request = snapshot.request
    driver: Driver = request.driver if request else "process"
    return Report(asked.recipe.name, driver, judge(snapshot), snapshot)


async def preflight_and_fix(models: ModelService, asked: Asked) -> Report:
    """Look, do what is safe about what was found, and look again."""
    first = await preflight(models, asked)
    names = fixes(first.findings)
    if not names:
        return first
    try:
        fixed = await in_background(lambda: apply(names, first.snapshot), FIX_LIMIT_S)
    except TimeoutError:
        raise EnvironmentFault(
            f"The repairs ({', '.join(names)}) had no end within {FIX_LIMIT_S:.0f} s.",
            hint=f"They may go on. `sparkwell preflight {first.model}` shows what is left.",
        ) from None
    return replace(await preflight(models, asked), fixed=fixed)


async def with_plan(
    snapshot: Snapshot, models: ModelService, asked: Asked, way: Way | None
) -> Snapshot:
    """The snapshot with the plan's figures; a plan that takes too long is a gap in it."""
    try:
        plan = await in_background(
            lambda: summary_of(models, asked.recipe, asked.wish, way), PLAN_LIMIT_S
        )
    except TimeoutError:
        gap = Gap("plan", f"not done within {PLAN_LIMIT_S:.0f} s")
        return replace(snapshot, gaps=(*snapshot.gaps, gap))
    return replace(snapshot, plan=plan)


def must_pass(report: Report) -> None:
    """Raise RefusedStart for the first thing that speaks against the start."""
    errors = [each for each in report.findings if each.severity is Severity.ERROR]
    if not errors:
        return
    first, more = errors[0], len(errors) - 1
    also = f" ({more} more: `sparkwell preflight {report.model}`)" if more else ""
    ways = [f"- {each.text}{_typed(each.command)}" for each in first.remedies]
    raise RefusedStart(
        f"{report.model} cannot be started: {_sentence(first)}{also}",
        tuple(errors),
        hint="\n".join([*ways, "- --force starts it all the same."]),
    )


def _typed(command: str | None) -> str:
    return f" `{command}`" if command else ""


def _sentence(finding: Finding) -> str:
    figures = f": {'; '.join(finding.evidence)}" if finding.evidence else ""
    return f"{finding.title}{figures}."


def of_this_daemon(snapshot: Snapshot, scope: Scope) -> Snapshot:
    """A daemon that runs has its port already, which may be another than the settings'."""
    if scope.daemon_pid is None or snapshot.ports is None:
        return snapshot
    return replace(snapshot, ports=tuple(port for port in snapshot.ports if port.ours))

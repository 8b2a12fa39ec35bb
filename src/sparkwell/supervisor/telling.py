"""What events and errors of the supervisor say, as words and JSON values."""

import logging
from collections.abc import Iterable

from sparkwell.core.errors import SparkwellError
from sparkwell.core.findings import Finding
from sparkwell.core.launch import ExitRecord
from sparkwell.supervisor.box import Instance, State
from sparkwell.supervisor.journal import Journal
from sparkwell.supervisor.messages import Tell
from sparkwell.supervisor.runs import Runs

logger = logging.getLogger(__name__)
_TIMED = (State.STARTING, State.WAKING, State.READY)


class Teller:
    """Writes what happens into journal, log and timelines."""

    def __init__(self, journal: Journal, runs: Runs) -> None:
        self._journal = journal
        self._runs = runs

    def tell(self, tell: Tell) -> None:
        """Let everybody know."""
        instance = tell.instance
        event = self._journal.add(
            tell.kind,
            tell.message,
            model=instance.model if instance else tell.model,
            instance=instance.id if instance else None,
            data={**(facts(instance) if instance else {}), **tell.data},
        )
        timeline = self._runs.timelines.get(instance.id) if instance else None
        if instance and timeline and instance.state in _TIMED:
            timeline.enter(instance.phase, event.at)
        level = logging.DEBUG if tell.kind == "instance.progress" else logging.INFO
        logger.log(level, tell.message, extra={"action": tell.kind})


def ids(instances: Iterable[Instance]) -> list[str]:
    """The ids of instances."""
    return [each.id for each in instances]


def words(error: BaseException) -> tuple[str, str | None]:
    """Why something failed, and what to do. A mistake of ours must not leave the box waiting."""
    if isinstance(error, SparkwellError):
        return error.message, error.hint
    logger.error("A start failed unexpectedly", exc_info=error)
    mistake = f"Sparkwell made a mistake ({type(error).__name__}: {error})"
    return mistake, "`sparkwell logs --daemon` may say more."


def findings_of(error: BaseException) -> tuple[Finding, ...]:
    """What an error rests on, where whoever raised it has looked."""
    found: tuple[Finding, ...] = getattr(error, "findings", ())
    return found


def facts(instance: Instance) -> dict[str, object]:
    """What an event says about its instance, as JSON values."""
    return {
        "state": instance.state.value,
        "phase": instance.phase.value,
        "fraction": instance.fraction,
        "error": instance.error,
        "hint": instance.hint,
        **({"exit": _exit(instance.record)} if instance.record else {}),
        **({"findings": [each.id for each in instance.findings]} if instance.findings else {}),
    }


def _exit(record: ExitRecord) -> dict[str, object]:
    return {
        "code": record.code,
        "signal": record.signal,
        "reason": record.reason,
        "last_lines": list(record.last_lines),
    }

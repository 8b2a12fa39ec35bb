"""What events and errors of the supervisor say, as words and JSON values."""

import logging
from collections.abc import Iterable

from sparkwell.core.errors import SparkwellError
from sparkwell.core.launch import ExitRecord
from sparkwell.supervisor.box import Instance

logger = logging.getLogger(__name__)


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


def facts(instance: Instance) -> dict[str, object]:
    """What an event says about its instance, as JSON values."""
    return {
        "state": instance.state.value,
        "phase": instance.phase.value,
        "fraction": instance.fraction,
        "error": instance.error,
        "hint": instance.hint,
        **({"exit": _exit(instance.record)} if instance.record else {}),
    }


def _exit(record: ExitRecord) -> dict[str, object]:
    return {
        "code": record.code,
        "signal": record.signal,
        "reason": record.reason,
        "last_lines": list(record.last_lines),
    }

"""Starts of the same kind: the first calibrates the plan of the second."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from accuracy.rows import FLAGS_HEAD, Row, flags, percent, table
from sparkwell.planner.memory import Calibration
from sparkwell.planner.starts import calibration_of


@dataclass(frozen=True, slots=True)
class Pair:
    """Two starts of one kind: the first calibrates the plan of the second."""

    first: Row
    second: Row

    @property
    def warms(self) -> bool:
        """Whether the second found the compiled code that the first had to make."""
        return self.second.case.start.warm and not self.first.case.start.warm

    @property
    def error(self) -> float:
        """Of the plan from what the first start took."""
        return self._error(self._seen())

    @property
    def corrected_error(self) -> float:
        """The same with the modelled difference between the two added."""
        seen = self._seen()
        change = self.second.planned.overhead - self.first.planned.overhead
        return self._error(replace(seen, overhead_bytes=seen.overhead_bytes + change))

    def _seen(self) -> Calibration:
        return calibration_of(self.first.case.start, self.first.planned)

    def _error(self, calibration: Calibration) -> float:
        planned = self.second.case.plan(calibration=calibration)
        return planned.kv_tokens / self.second.tokens - 1


def calibrations(found: Sequence[Row]) -> list[Pair]:
    """Starts of the same kind, each with the first one that was no warmer than it."""
    firsts: dict[tuple[object, ...], Row] = {}
    pairs = []
    for row in sorted(found, key=lambda row: row.case.start.warm):
        kind = kind_of(row)
        colder = firsts.get((*kind, False))
        same = firsts.setdefault((*kind, row.case.start.warm), row)
        if same is not row:
            pairs.append(Pair(same, row))
        elif row.case.start.warm and colder is not None:
            pairs.append(Pair(colder, row))
    return pairs


def kind_of(row: Row) -> tuple[object, ...]:
    """What memory depends on; the context does not count, it rounds."""
    start = row.case.start
    settings = replace(row.settings, max_model_len=1)
    sizes = start.flags.get("compilation_config")
    return (
        start.session.machine,
        start.session.engine_version,
        start.runner,
        start.model,
        (
            settings,
            sizes,
        ),
    )


def calibrated(pairs: Sequence[Pair]) -> str:
    """Each pair with the errors of the calibrated plan."""
    head = ("machine", *FLAGS_HEAD[:4], "first start", "second", "error", "with the difference")
    return table(
        head,
        (
            (
                pair.second.case.start.session.machine,
                *flags(pair.second)[:4],
                cache(pair.first),
                cache(pair.second),
                percent(pair.error),
                percent(pair.corrected_error),
            )
            for pair in pairs
        ),
    )


def cache(row: Row) -> str:
    """Whether a start had to compile."""
    kept = "kept" if row.case.start.warm else "empty"
    return f"{kept} cache" + (", sleep mode" if row.settings.sleep_mode else "")

"""Runs and what serves, without secrets: flags and words may carry what a person gave."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from sparkwell.catalog.recipe import FlagValue
from sparkwell.checks.logs.redact import redact
from sparkwell.checks.run_parts import Run
from sparkwell.checks.serving_parts import Serving


def clean_runs(runs: Iterable[Run]) -> tuple[Run, ...]:
    """The runs, their flags and words redacted."""
    return tuple(
        replace(
            run,
            last_line=_clean(run.last_line),
            error=_clean(run.error),
            hint=_clean(run.hint),
            first_reason=_clean(run.first_reason),
            flags=clean_flags(run.flags),
        )
        for run in runs
    )


def clean_serving(serving: Iterable[Serving]) -> tuple[Serving, ...]:
    """What serves, its flags redacted."""
    return tuple(replace(each, flags=clean_flags(each.flags)) for each in serving)


def _clean(text: str | None) -> str | None:
    return None if text is None else "\n".join(map(redact, text.split("\n")))


def clean_flags(flags: Mapping[str, FlagValue]) -> dict[str, FlagValue]:
    """Flags, without values that are secret by name or by form."""
    return {name: _value(name, value) for name, value in flags.items()}


def _value(name: str, value: FlagValue) -> FlagValue:
    if isinstance(value, bool):
        return value
    said = f"{name}={value}"
    return value if redact(said) == said else "…"

"""Limits of a key as they are typed."""

import click

from sparkwell.core.errors import UsageError
from sparkwell.core.keys import RANGES


class Limit(click.ParamType[int]):
    """A whole number in the range of that field of a key; raises UsageError for anything else."""

    name = "N"

    def __init__(self, field: str) -> None:
        self._field = field

    def convert(
        self, value: object, _param: click.Parameter | None, _ctx: click.Context | None
    ) -> int:
        """The number."""
        least, most = RANGES[self._field]
        try:
            number = int(str(value))
        except ValueError:
            number = least - 1
        if least <= number <= most:
            return number
        raise UsageError(
            f"--{self._field} is a whole number from {least} to {most:,}, not {str(value)!r}."
        )

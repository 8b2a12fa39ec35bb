"""Which of the files that were kept somebody means. Pure."""

from collections.abc import Sequence

from sparkwell.core.errors import UsageError

_DIGITS = 3


def named(names: Sequence[str], asked: str, kind: str, hint: str) -> str:
    """By number from the first (1), by whole name, or by how one alone begins.

    Up to three digits are a number, more may be the day that a name begins with. Raises UsageError
    where there is none, or more than one; ``kind`` is what one of them is called.
    """
    if asked.isdecimal() and 1 <= int(asked) <= len(names):
        return names[int(asked) - 1]
    is_number = asked.isdecimal() and len(asked) <= _DIGITS
    near = [each for each in names if asked and not is_number and each.startswith(asked)]
    if asked in near or len(near) == 1:
        return asked if asked in near else near[0]
    said = f"{len(near)} {kind}s begin with" if near else f"There is no {kind}"
    raise UsageError(f"{said} {asked!r}.", hint=hint)

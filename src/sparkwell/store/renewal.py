"""What people are told of a new file in the place of one that was broken or gone."""

from pathlib import Path


def renewal(error: str, kept: Path | None, *, whole: bool) -> tuple[str, str | None]:
    """A message and a hint. ``kept`` is where the old file is; ``whole`` if nothing is lost."""
    aside = f"it is kept as {kept}, and " if kept else ""
    if whole:
        told = f"The store was spoilt ({error}); {aside}a new one has begun with all that it had"
        return told, None
    hint = "Past events, durations of starts and what was ready before are not known any more."
    if kept:
        hint += f" What can be saved of them, `sqlite3 {kept} .recover` prints."
    return f"The store was broken ({error}); {aside}a new one has begun", hint

"""Files that a download has left unfinished: which of them may be removed, and why."""

from sparkwell.checks.model_parts import Partial
from sparkwell.core.units import duration

DAY_S = 86_400
OLD_S = 14 * DAY_S
# A file that was written a moment ago belongs to somebody, even if nobody can be seen.
QUIET_S = 600


def why_removable(partial: Partial) -> str | None:
    """Why nobody will need the file again; None when it has to stay.

    What a download can go on with stays for 14 days: it may be most of 70 GB.
    """
    if partial.held_by or partial.hidden or partial.age_s < QUIET_S:
        return None
    if partial.finished:
        return "the whole file is there besides"
    if not partial.resumable:
        return "no download goes on with a file of this name"
    if partial.age_s >= OLD_S:
        return f"not written to for {duration(partial.age_s)}"
    return None

"""What can be wrong with keys, told to the person who keeps them."""

from pathlib import Path

from sparkwell.core.errors import EnvironmentFault, UsageError


class UnknownKeyError(UsageError):
    """No key has that name or id."""

    code = "key_not_found"
    http_status = 404


class KeysBrokenError(EnvironmentFault):
    """There have been keys, and the store does not have them: nobody is served."""

    code = "keys_broken"


def keys_broken(store: Path, marker: Path) -> KeysBrokenError:
    """The error that says how to go on."""
    return KeysBrokenError(
        f"The keys are lost: {marker} says that there have been some, and the store {store} has "
        "none, or cannot be read. No request is served until that is settled.",
        hint=f"End the daemon, put a copy of the store back as {store} and start it again (a "
        f"broken file is kept beside it as {store.name}.broken-TIME). Or `sparkwell keys reset "
        "--yes` forgets all keys; then make new ones.",
    )

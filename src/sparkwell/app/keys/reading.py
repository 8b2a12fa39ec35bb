"""Keys and usage read from the file, where no daemon has them: nothing is changed or created."""

import sqlite3
import time
from collections.abc import Callable
from typing import TypeVar

from sparkwell.admin.keys import UsageWanted
from sparkwell.app.keys.documents import Json, keys_document, usage_document
from sparkwell.app.keys.errors import KeysBrokenError, keys_broken
from sparkwell.app.keys.marker import Marker
from sparkwell.app.keys.service import query_of
from sparkwell.app.paths import Paths
from sparkwell.core.errors import EnvironmentFault
from sparkwell.core.keys import Key
from sparkwell.gateway.keys.seam import Standing
from sparkwell.store import Keys, UsageLog, reading

T = TypeVar("T")


class FileKeys:
    """What the store of a daemon that does not run has of keys."""

    def __init__(self, paths: Paths, named: Callable[[str], str]) -> None:
        self._paths, self._named = paths, named

    def keys(self) -> Json:
        """All keys; where they are lost none, and ``standing`` is "broken".

        Raises EnvironmentFault for a store that cannot be read, and may never have had keys.
        """
        found = self._read(_all_of) or ()
        last_days = self._read(lambda _keys, log: log.last_days()) or {}
        return keys_document(self._standing(found), found, last_days, time.time())

    def usage(self, wanted: UsageWanted) -> Json:
        """What was used, by day, key and model."""
        found = self._read(_all_of) or ()
        query = query_of(wanted, found, time.time(), self._named)
        rows = self._read(lambda _keys, log: log.rows(query)) or ()
        return usage_document(found, rows, query.since)

    def _standing(self, keys: tuple[Key, ...]) -> Standing:
        if keys:
            return "some"
        return "broken" if Marker(self._paths.keys_marker).is_there else "none"

    def _read(self, work: Callable[[Keys, UsageLog], T]) -> T | None:
        """What ``work`` finds; None without a file of this schema."""
        file, marker = self._paths.store, Marker(self._paths.keys_marker)
        try:
            with reading(file) as connection:
                return work(Keys(connection), UsageLog(connection)) if connection else None
        except (sqlite3.Error, ValueError) as error:
            if marker.is_there:
                raise keys_broken(file, marker.file) from None
            raise EnvironmentFault(
                f"The store {file} cannot be read: {error}.",
                hint="The next start of a daemon keeps a broken file aside and begins a new one.",
            ) from None


def lost_keys(paths: Paths) -> KeysBrokenError | None:
    """Why a daemon that started now would serve nobody; None where no keys are missing."""
    try:
        standing = FileKeys(paths, str).keys()["standing"]
    except KeysBrokenError as error:
        return error
    except EnvironmentFault:
        return None  # there may never have been keys
    return keys_broken(paths.store, paths.keys_marker) if standing == "broken" else None


def _all_of(keys: Keys, _log: UsageLog) -> tuple[Key, ...]:
    return tuple(keys.all())

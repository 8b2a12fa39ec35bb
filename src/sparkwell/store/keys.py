"""Keys of clients, with the digests of their secrets."""

import json
import sqlite3
from collections.abc import Iterable

from sparkwell.core.keys import Key
from sparkwell.store.access import Row, Source, using

_COLUMNS = (
    "id, name, digest, hint, created_at, models, rpm, tpm, concurrency, priority, "
    "expires_at, revoked_at, former_digest, former_until"
)
_ADD = (
    f"INSERT INTO keys ({_COLUMNS}) "  # noqa: S608 - the names above
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_ALL = f"SELECT {_COLUMNS} FROM keys ORDER BY created_at, id"  # noqa: S608


class Keys:
    """All keys, revoked ones too."""

    def __init__(self, source: Source) -> None:
        self._db = using(source)

    def all(self) -> list[Key]:
        """The keys, oldest first. Raises ValueError for a row that no key was written as."""
        return [_key(row) for row in self._db.rows(_ALL)]

    def count(self) -> int:
        """How many there are."""
        return int(self._db.rows("SELECT count(*) FROM keys")[0][0])

    def replace(self, keys: Iterable[Key]) -> None:
        """Have these keys and no others; waits for the disk, and sees that it has them.

        A power cut must not bring back a key that was revoked, nor may a key be lost whose secret
        was shown.
        """
        rows = [_row(key) for key in keys]

        def work(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM keys")
            db.executemany(_ADD, rows)

        self._db.write(work, durable=True, proven=True)


def _row(key: Key) -> tuple[object, ...]:
    return (
        *(key.id, key.name, key.digest, key.hint, key.created_at, json.dumps(key.models)),
        *(key.rpm, key.tpm, key.concurrency, key.priority, key.expires_at, key.revoked_at),
        *(key.former_digest, key.former_until),
    )


def _key(row: Row) -> Key:
    digest, models, former = row[2], json.loads(row[5]), row[12]
    if not isinstance(digest, bytes) or not isinstance(former, bytes | None):
        raise ValueError(f"the digest of key {row[0]!r} is none")
    if not isinstance(models, list) or not all(isinstance(each, str) for each in models):
        raise ValueError(f"the models of key {row[0]!r} are no list of names")
    values = list(row)
    values[5] = tuple(models)
    return Key(*values)

"""What people and disks do to the store's file while it is in use."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path


def delete(file: Path) -> None:
    """``rm sparkwell.db*``."""
    for each in file.parent.glob(f"{file.name}*"):
        each.unlink()


def delete_main(file: Path) -> None:
    """The log stays."""
    file.unlink()


def delete_log(file: Path) -> None:
    """What was written last is in it alone."""
    file.with_name(f"{file.name}-wal").unlink()


def replace(file: Path) -> None:
    """Somebody else's database, moved there."""
    other = file.with_name("other.db")
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE theirs (a)")
    other.replace(file)


def cut_off(file: Path) -> None:
    """``: > sparkwell.db``."""
    os.truncate(file, 0)


def overwrite(file: Path) -> None:
    """``dd conv=notrunc`` of 60 kB."""
    with file.open("r+b") as out:
        out.write(os.urandom(60_000))


HARMS = (delete, delete_main, delete_log, replace, cut_off, overwrite)

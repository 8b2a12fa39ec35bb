"""What is remembered: SQLite, one writer, named queries.

May import engines, planner, catalog, hardware and core. The database belongs to the daemon;
its schema is brought up to date when it is opened.
"""

from sparkwell.store.database import open_database, reading
from sparkwell.store.history import History
from sparkwell.store.starts import StartRecord, Starts

__all__ = ["History", "StartRecord", "Starts", "open_database", "reading"]

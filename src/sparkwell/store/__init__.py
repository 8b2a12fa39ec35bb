"""What is remembered: SQLite, one writer, named queries.

May import engines, planner, catalog, hardware and core. The database belongs to the daemon;
its schema is brought up to date when it is opened.
"""

from sparkwell.store.database import open_database
from sparkwell.store.history import History

__all__ = ["History", "open_database"]

"""What is remembered: SQLite, one writer, named queries.

May import engines, planner, catalog, hardware and core. The database belongs to the daemon, which
opens it as a ``Store``; commands look into it with ``reading`` and ``recorded``.
"""

from sparkwell.store.breakers import BreakerRow, Breakers
from sparkwell.store.database import open_database, reading
from sparkwell.store.events import Events
from sparkwell.store.history import History
from sparkwell.store.intents import Intent, Intents
from sparkwell.store.keys import Keys
from sparkwell.store.recorded import Recorded, Wanted, recorded
from sparkwell.store.residents import Resident, Residents
from sparkwell.store.restarts import Restart, Restarts
from sparkwell.store.runs import Runs
from sparkwell.store.sink import EventSink
from sparkwell.store.starts import StartRecord, Starts
from sparkwell.store.store import Notice, Store
from sparkwell.store.usage import UsageLog, UsageQuery

__all__ = [
    "BreakerRow",
    "Breakers",
    "EventSink",
    "Events",
    "History",
    "Intent",
    "Intents",
    "Keys",
    "Notice",
    "Recorded",
    "Resident",
    "Residents",
    "Restart",
    "Restarts",
    "Runs",
    "StartRecord",
    "Starts",
    "Store",
    "UsageLog",
    "UsageQuery",
    "Wanted",
    "open_database",
    "reading",
    "recorded",
]

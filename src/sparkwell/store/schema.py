"""The tables, version by version, and how a file is brought to the newest one."""

import sqlite3

MIGRATIONS = (
    """
    CREATE TABLE phase_history (
        id INTEGER PRIMARY KEY,
        model TEXT NOT NULL,
        engine TEXT NOT NULL,
        engine_version TEXT NOT NULL,
        phase TEXT NOT NULL,
        seconds REAL NOT NULL CHECK (seconds >= 0),
        ended_at REAL NOT NULL
    );
    CREATE INDEX phase_history_by_start
        ON phase_history (model, engine, engine_version, phase, id);
    """,
    """
    CREATE TABLE starts (
        id INTEGER PRIMARY KEY,
        instance TEXT NOT NULL UNIQUE,
        machine TEXT NOT NULL,
        total_bytes INTEGER NOT NULL CHECK (total_bytes > 0),
        model TEXT NOT NULL,
        repo TEXT,
        revision TEXT,
        engine TEXT NOT NULL,
        engine_version TEXT NOT NULL,
        device TEXT NOT NULL,
        flags TEXT NOT NULL,
        weights_bytes INTEGER,
        kv_cache_bytes INTEGER,
        kv_cache_tokens INTEGER,
        graphs_bytes INTEGER,
        at REAL NOT NULL,
        warm INTEGER,
        from_metrics INTEGER NOT NULL
    );
    CREATE INDEX starts_by_kind
        ON starts (machine, model, engine, engine_version, flags, id);
    """,
    """
    CREATE TABLE events (
        seq INTEGER PRIMARY KEY,
        at REAL NOT NULL,
        kind TEXT NOT NULL,
        message TEXT NOT NULL,
        model TEXT,
        instance TEXT,
        data TEXT NOT NULL
    );
    CREATE TABLE counters (
        name TEXT PRIMARY KEY,
        value INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE intents (
        id INTEGER PRIMARY KEY,
        begun_at REAL NOT NULL,
        kind TEXT NOT NULL,
        model TEXT,
        instance TEXT,
        data TEXT NOT NULL,
        ended_at REAL,
        outcome TEXT
    );
    CREATE INDEX intents_open ON intents (id) WHERE outcome IS NULL;
    CREATE TABLE breakers (
        model TEXT PRIMARY KEY,
        failures INTEGER NOT NULL CHECK (failures > 0),
        not_before REAL NOT NULL,
        while_starting INTEGER NOT NULL,
        first_reason TEXT NOT NULL,
        first_instance TEXT NOT NULL,
        first_lines TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE restarts (
        id INTEGER PRIMARY KEY,
        model TEXT NOT NULL,
        instance TEXT NOT NULL,
        reason TEXT NOT NULL,
        at REAL NOT NULL
    );
    CREATE INDEX restarts_by_model ON restarts (model, id);
    CREATE TABLE residents (
        model TEXT PRIMARY KEY,
        wish TEXT NOT NULL,
        place INTEGER NOT NULL,
        boot_id TEXT
    ) WITHOUT ROWID;
    """,
    """
    ALTER TABLE intents ADD COLUMN boot_id TEXT;
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY,
        instance TEXT NOT NULL UNIQUE,
        kept INTEGER,
        before TEXT
    );
    """,
    """
    DROP INDEX IF EXISTS phase_history_by_start;
    CREATE INDEX phase_history_newest ON phase_history (model, engine, engine_version, id);
    """,
    """
    ALTER TABLE breakers ADD COLUMN first_findings TEXT NOT NULL DEFAULT '[]';
    """,
    """
    CREATE TABLE keys (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        digest BLOB NOT NULL UNIQUE,
        hint TEXT NOT NULL,
        created_at REAL NOT NULL,
        models TEXT NOT NULL,
        rpm INTEGER CHECK (rpm > 0),
        tpm INTEGER CHECK (tpm > 0),
        concurrency INTEGER CHECK (concurrency > 0),
        priority INTEGER NOT NULL,
        expires_at REAL,
        revoked_at REAL,
        former_digest BLOB,
        former_until REAL
    ) WITHOUT ROWID;
    CREATE TABLE usage (
        day TEXT NOT NULL,
        key_id TEXT NOT NULL,
        model TEXT NOT NULL,
        requests INTEGER NOT NULL,
        errors INTEGER NOT NULL,
        prompt_tokens INTEGER NOT NULL,
        output_tokens INTEGER NOT NULL,
        uncounted INTEGER NOT NULL,
        PRIMARY KEY (day, key_id, model)
    ) WITHOUT ROWID;
    """,
)
"""Each entry leads from schema version n to n + 1. Entries are never changed, only added."""


def version(connection: sqlite3.Connection) -> int:
    """The schema version of a database; 0 for a new one."""
    (number,) = connection.execute("PRAGMA user_version").fetchone()
    return int(number)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a database that is not newer to the newest schema, each step whole or not at all."""
    for number, statements in enumerate(MIGRATIONS[version(connection) :], version(connection) + 1):
        try:
            connection.executescript(
                f"BEGIN IMMEDIATE; {statements}; PRAGMA user_version = {number}; COMMIT;"
            )
        except sqlite3.Error:
            connection.rollback()
            raise

"""Keys and usage as JSON documents: for the control API, ``--json`` and the dashboard."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sparkwell.core.keys import Key, UsageRow
from sparkwell.gateway.keys.seam import Standing

Json = Mapping[str, Any]


def keys_document(
    standing: Standing, keys: Iterable[Key], last_days: Mapping[str, str], now: float
) -> Json:
    """All keys with their states; no secret, and nothing made of one but its end."""
    entries = [key_entry(key, now, last_days.get(key.id)) for key in keys]
    return {"standing": standing, "keys": entries}


def key_entry(key: Key, now: float, last_used: str | None = None) -> Json:
    """One key. Times are seconds since 1970; ``last_used`` is a date of UTC, None: never."""
    overlaps = key.former_until is not None and now < key.former_until and key.lives(now)
    return {
        "id": key.id,
        "name": key.name,
        "state": state_of(key, now),
        "hint": key.hint,
        "models": list(key.models),
        "rpm": key.rpm,
        "tpm": key.tpm,
        "concurrency": key.concurrency,
        "priority": key.priority,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "former_secret_until": key.former_until if overlaps else None,
        "last_used": last_used,
    }


def state_of(key: Key, now: float) -> str:
    """active, expired or revoked."""
    if key.revoked_at is not None:
        return "revoked"
    return "active" if key.lives(now) else "expired"


def usage_document(keys: Sequence[Key], rows: Iterable[UsageRow], since: str) -> Json:
    """What was used, by day. ``key`` is the name; None for no key, and one that is forgotten."""
    names = {key.id: key.name for key in keys}
    return {"since": since or None, "usage": [usage_entry(row, names) for row in rows]}


def usage_entry(row: UsageRow, names: Mapping[str, str]) -> Json:
    """One row."""
    return {
        "day": row.day,
        "key": names.get(row.key_id),
        "key_id": row.key_id or None,
        "model": row.model,
        "requests": row.requests,
        "errors": row.errors,
        "prompt_tokens": row.prompt_tokens,
        "output_tokens": row.output_tokens,
        "uncounted": row.uncounted,
    }

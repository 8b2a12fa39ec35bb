"""Keys of clients for the dashboard: as the control API has them, with what each used."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sparkwell.admin.keys import AddKeyBody, RotateKeyBody, UsageWanted
from sparkwell.app.dashboard.usage import by_key, courses, lines, of_days, row_of, sum_of
from sparkwell.app.keys.errors import KeysBrokenError
from sparkwell.app.keys.own_key import OwnKey
from sparkwell.app.keys.service import KeyService
from sparkwell.core.keys import KeyWish
from sparkwell.web.key_values import KeyEntry, KeysShown, MadeKey, Used
from sparkwell.web.values import Json

WEEK = 7
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class DashboardKeys:
    """The page's ClientKeys. ``lost`` is what to say where the keys are; ``now`` is Unix time."""

    service: KeyService
    own: OwnKey
    lost: KeysBrokenError
    now: Callable[[], float] = time.time

    @property
    def needed(self) -> bool:
        """Whether there are or were keys."""
        return bool(self.service.keys()["standing"] != "none")

    def shown(self, days: int) -> KeysShown:
        """All keys, and what was used on so many days (UTC) until today."""
        now = self.now()
        found = self.service.keys()
        since = now - (max(days, WEEK) - 1) * DAY_S
        usage = self.service.usage(UsageWanted(since=since))
        rows = [row_of(entry) for entry in usage["usage"]]
        spanned, week = _days(now, days), _days(now, WEEK)
        inside = [row for row in rows if row.day in spanned]
        today, recent = by_key(rows, week[-1:]), by_key(rows, week)
        is_broken = found["standing"] == "broken"
        return KeysShown(
            standing=found["standing"],
            keys=tuple(entry_of(each, today, recent) for each in found["keys"]),
            days=spanned,
            lines=lines(inside),
            by_day=of_days(inside, spanned),
            courses=courses(inside, spanned),
            whole=sum_of(inside),
            problem=self.lost.message if is_broken else None,
            remedy=self.lost.hint if is_broken else None,
        )

    def add(self, wish: KeyWish) -> MadeKey:
        """Make a key."""
        body = AddKeyBody(
            name=wish.name,
            models=wish.models,
            rpm=wish.rpm,
            tpm=wish.tpm,
            concurrency=wish.concurrency,
            priority=wish.priority,
            expires_at=wish.expires_at,
        )
        return _made(self.service.add_key(body))

    def rotate(self, key: str, overlap_s: float) -> MadeKey:
        """Give a key another secret."""
        return _made(self.service.rotate_key(RotateKeyBody(key=key, overlap_s=overlap_s)))

    def revoke(self, key: str) -> None:
        """Have a key open nothing any more."""
        self.service.revoke_key(key)

    def own_secret(self) -> str:
        """The secret of the daemon's own key."""
        return self.own.secret()


def entry_of(
    key: Json, today: Mapping[str | None, Used], week: Mapping[str | None, Used]
) -> KeyEntry:
    """A key of the document, with what it used."""
    return KeyEntry(
        id=key["id"],
        name=key["name"],
        state=key["state"],
        hint=key["hint"],
        created_at=key["created_at"],
        models=tuple(key["models"]),
        rpm=key["rpm"],
        tpm=key["tpm"],
        concurrency=key["concurrency"],
        priority=key["priority"],
        expires_at=key["expires_at"],
        revoked_at=key["revoked_at"],
        former_until=key["former_secret_until"],
        last_used=key["last_used"],
        today=today.get(key["id"], Used()),
        week=week.get(key["id"], Used()),
    )


def _made(document: Json) -> MadeKey:
    return MadeKey(entry_of(document["key"], {}, {}), document["secret"], document["living"])


def _days(now: float, count: int) -> tuple[str, ...]:
    """The dates of so many days (UTC) until now, oldest first."""
    today = datetime.fromtimestamp(now, UTC)
    return tuple(
        (today - timedelta(days=back)).strftime("%Y-%m-%d") for back in range(count - 1, -1, -1)
    )

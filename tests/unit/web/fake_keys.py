"""Keys of clients that live in memory, with made-up usage: enough for every state of the page."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from tests.unit.web.fake_status import NEMO, QWEN

from sparkwell.core.errors import ConflictError, SparkwellError, UsageError
from sparkwell.core.keys import KeyWish
from sparkwell.web.key_values import (
    KeyCourse,
    KeyEntry,
    KeysShown,
    MadeKey,
    UsageLine,
    Used,
)

OWN_SECRET = "sk-sw-" + "own" * 14 + "x"
SECRET = "sk-sw-" + "s" * 39 + "{:04d}"
NOW = time.time()
DAY_S = 86_400.0

LAPTOP = KeyEntry(
    "key-1f2e3d4c",
    "laptop",
    "active",
    "9fQk",
    NOW - 40 * DAY_S,
    last_used="2026-05-09",
    today=Used(412, 3, 181_204, 60_112),
    week=Used(3_840, 12, 1_640_992, 498_710),
)
ROBOT = KeyEntry(
    "key-90ab12cd",
    "night-report",
    "active",
    "0aZ_",
    NOW - 12 * DAY_S,
    models=(NEMO, QWEN),
    rpm=60,
    tpm=40_000,
    concurrency=2,
    priority=-10,
    expires_at=NOW + 30 * DAY_S,
    former_until=NOW + 3600,
    week=Used(96, 0, 1_204_000, 33_000),
)
OLD = KeyEntry(
    "key-00000001", "old", "revoked", "aaaa", NOW - 90 * DAY_S, revoked_at=NOW - 20 * DAY_S
)
LATE = KeyEntry(
    "key-00000002", "guest", "expired", "bbbb", NOW - 9 * DAY_S, expires_at=NOW - 2 * DAY_S
)


class FakeClientKeys:
    """The dashboard's ClientKeys. ``refusal`` is raised by whatever changes keys."""

    def __init__(self) -> None:
        self.keys: list[KeyEntry] = [LAPTOP, ROBOT, OLD, LATE]
        self.standing: Literal["none", "some", "broken"] = "some"
        self.wishes: list[KeyWish] = []
        self.rotated: list[tuple[str, float]] = []
        self.revoked: list[str] = []
        self.refusal: SparkwellError | None = None
        self.used = True
        self.own = OWN_SECRET

    @property
    def needed(self) -> bool:
        return self.standing != "none"

    def empty(self) -> None:
        """There has never been a key, and nothing was used."""
        self.keys, self.standing, self.used = [], "none", False

    def shown(self, days: int) -> KeysShown:
        is_lost = self.standing == "broken"
        return KeysShown(
            self.standing,
            () if is_lost else tuple(self.keys),
            problem="The keys are lost: `keys.used` says so." if is_lost else None,
            remedy="Put a copy of the store back." if is_lost else None,
            **(usage(days) if self.used else {"days": dates(days)}),
        )

    def add(self, wish: KeyWish) -> MadeKey:
        self._may_be_refused()
        if wish.name in [each.name for each in self.keys if each.state == "active"]:
            raise ConflictError(f"There is a key {wish.name!r} already.", hint="Take another name.")
        self.wishes.append(wish)
        secret = SECRET.format(len(self.wishes))
        key = KeyEntry(
            f"key-{len(self.wishes):08x}",
            wish.name,
            "active",
            secret[-4:],
            time.time(),
            models=wish.models,
            expires_at=wish.expires_at,
        )
        self.keys.append(key)
        self.standing = "some"
        return MadeKey(key, secret, self._living())

    def rotate(self, key: str, overlap_s: float) -> MadeKey:
        self._may_be_refused()
        found = self._find(key)
        self.rotated.append((key, overlap_s))
        until = time.time() + overlap_s if overlap_s else None
        return MadeKey(replace(found, former_until=until), SECRET.format(7), self._living())

    def revoke(self, key: str) -> None:
        self._may_be_refused()
        found = self._find(key)
        self.revoked.append(key)
        gone = replace(found, state="revoked", revoked_at=time.time())
        self.keys = [gone if each is found else each for each in self.keys]

    def own_secret(self) -> str:
        return self.own

    def _find(self, key: str) -> KeyEntry:
        for each in self.keys:
            if each.id == key and each.state == "active":
                return each
        raise UsageError(f"There is no key {key!r}.", hint="`sparkwell keys list` shows them.")

    def _living(self) -> int:
        return sum(each.state == "active" for each in self.keys)

    def _may_be_refused(self) -> None:
        if self.refusal is not None:
            raise self.refusal


def dates(days: int) -> tuple[str, ...]:
    today = datetime.now(UTC)
    return tuple(
        (today - timedelta(days=back)).strftime("%Y-%m-%d") for back in range(days - 1, -1, -1)
    )


def usage(days: int) -> dict[str, Any]:
    """Working days, nights, and somebody without a key in the beginning."""
    laptop = tuple(_used(400, 520, at % 7 not in (5, 6)) for at in range(days))
    robot = tuple(_used(14, 12_300, at >= days - 12) for at in range(days))
    nobody = tuple(_used(30, 900, at < days - 20) for at in range(days))
    every = (laptop, robot, nobody)
    lines = (
        UsageLine("laptop", QWEN, Used(8_100, 30, 3_400_112, 940_002, 0)),
        UsageLine("night-report", NEMO, Used(168, 0, 2_066_400, 55_440, 0)),
        UsageLine("laptop", NEMO, Used(412, 2, 190_001, 44_120, 4)),
        UsageLine("", QWEN, Used(300, 0, 180_000, 90_000, 0)),
    )
    return {
        "days": dates(days),
        "lines": lines,
        "by_day": tuple(_sum(at) for at in zip(*every, strict=True)),
        "courses": (
            KeyCourse("laptop", laptop),
            KeyCourse("night-report", robot),
            KeyCourse("", nobody),
        ),
        "whole": _sum([each.used for each in lines]),
    }


def _used(requests: int, tokens: int, is_there: bool) -> Used:
    if not is_there:
        return Used()
    return Used(requests, requests // 100, requests * tokens * 3 // 4, requests * tokens // 4)


def _sum(every: tuple[Used, ...] | list[Used]) -> Used:
    return Used(
        sum(each.requests for each in every),
        sum(each.errors for each in every),
        sum(each.prompt_tokens for each in every),
        sum(each.output_tokens for each in every),
        sum(each.uncounted for each in every),
    )

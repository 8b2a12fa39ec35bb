"""Keys for the page, over the real keeper and its store."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sparkwell.app.dashboard.keys import DAY_S, DashboardKeys
from sparkwell.app.keys.errors import UnknownKeyError, keys_broken
from sparkwell.app.keys.keeper import KeyKeeper
from sparkwell.app.keys.own_key import NAME, OwnKey
from sparkwell.app.keys.service import KeyService
from sparkwell.core.errors import ConflictError, UnknownModelError
from sparkwell.core.keys import Key, KeyWish
from sparkwell.store import Store
from sparkwell.web.key_values import Used

NOW = 1_778_335_402.0  # 2026-05-09 14:03 UTC


class Case:
    """The page's keys, at a moment that a test moves."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.at = NOW
        file, marker = folder / "sparkwell.db", folder / "keys.used"
        self.keeper = KeyKeeper(store, file, marker, now=lambda: self.at)
        service = KeyService(self.keeper, named, now=lambda: self.at)
        self.own = OwnKey(self.keeper.book)
        lost = keys_broken(file, marker)
        self.keys = DashboardKeys(service, self.own, lost, now=lambda: self.at)

    def use(self, secret: str | None, model: str = "m", tokens: int = 10) -> None:
        key: Key | None = None if secret is None else self.keeper.book.of(secret)
        self.keeper.turnstile.enter(key, model).leave(200, tokens, tokens)


def named(name: str) -> str:
    if name not in ("m", "n"):
        raise UnknownModelError(f"There is no model {name!r}.")
    return name


@pytest.fixture
def case(tmp_path: Path) -> Iterator[Case]:
    with closing(Store(tmp_path / "sparkwell.db")) as store:
        yield Case(store, tmp_path)


def test_there_has_never_been_a_key(case: Case) -> None:
    shown = case.keys.shown(7)
    assert (shown.standing, shown.keys, shown.lines, shown.problem) == ("none", (), (), None)
    assert shown.days == tuple(f"2026-05-0{day}" for day in range(3, 10))
    assert shown.by_day == (Used(),) * 7
    assert not case.keys.needed


def test_what_was_wished_is_what_is_shown(case: Case) -> None:
    wish = KeyWish("bob", ("m",), 60, 1000, 2, -5, NOW + 9)
    made = case.keys.add(wish)
    assert made.living == 1
    assert case.keeper.book.of(made.secret)
    (key,) = case.keys.shown(7).keys
    assert key == made.key
    assert (key.name, key.models, key.rpm, key.tpm, key.concurrency) == ("bob", ("m",), 60, 1000, 2)
    assert (key.priority, key.expires_at, key.state) == (-5, NOW + 9, "active")
    assert case.keys.needed
    with pytest.raises(ConflictError):
        case.keys.add(wish)
    with pytest.raises(UnknownModelError):
        case.keys.add(KeyWish("eve", ("x",)))
    case.at += 9
    assert case.keys.shown(7).keys[0].state == "expired"


def test_today_and_the_last_week_of_each_key(case: Case) -> None:
    bob = case.keys.add(KeyWish("bob")).secret
    case.at = NOW - 7 * DAY_S
    case.use(bob, tokens=1)  # the day before the week
    case.at = NOW - 6 * DAY_S
    case.use(bob, tokens=2)
    case.at = NOW
    case.use(bob, "n", tokens=4)
    case.use(None, tokens=100)
    (key,) = case.keys.shown(7).keys
    assert (key.today.tokens, key.week.tokens, key.last_used) == (8, 12, "2026-05-09")
    assert (key.today.requests, key.week.requests) == (1, 2)
    assert sum(each.used.tokens for each in case.keys.shown(7).lines) == 212
    assert case.keys.shown(30).whole.tokens == 214
    assert case.keys.shown(1).keys[0].week.tokens == 12  # also where less is shown


def test_the_own_key_is_counted_and_not_listed(case: Case) -> None:
    case.use(case.keys.own_secret())
    shown = case.keys.shown(7)
    assert shown.keys == ()
    assert [(line.key, line.used.tokens) for line in shown.lines] == [(NAME, 20)]


def test_a_new_secret_and_the_end(case: Case) -> None:
    made = case.keys.add(KeyWish("bob"))
    rotated = case.keys.rotate(made.key.id, 60.0)
    assert rotated.key.former_until == NOW + 60
    assert rotated.secret != made.secret
    case.keys.revoke(made.key.id)
    (key,) = case.keys.shown(7).keys
    assert (key.state, key.revoked_at) == ("revoked", NOW)
    assert case.keys.needed  # the door stays closed
    with pytest.raises(UnknownKeyError):
        case.keys.revoke("none")


def test_lost_keys_say_what_to_do(case: Case, tmp_path: Path) -> None:
    case.keeper.book.use((), "broken")
    shown = case.keys.shown(7)
    assert (shown.standing, shown.keys) == ("broken", ())
    assert str(tmp_path / "keys.used") in (shown.problem or "")
    assert "sparkwell keys reset --yes" in (shown.remedy or "")
    assert case.keys.needed

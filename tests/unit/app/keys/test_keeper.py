"""The owner of the keys: what it promises is on the disk, and what is lost closes the door."""

import asyncio
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from tests.unit.store.spoiling import HARMS, delete

from sparkwell.app.keys import keeper as keeper_module
from sparkwell.app.keys.errors import KeysBrokenError, UnknownKeyError
from sparkwell.app.keys.keeper import KeyKeeper, Made, remembered
from sparkwell.core.errors import ConflictError, EnvironmentFault, UsageError
from sparkwell.core.keys import Key, KeyWish
from sparkwell.gateway.keys.errors import KeyRefusedError
from sparkwell.store import Store, UsageQuery

NOW = 1_778_335_402.0  # 2026-05-09


class Case:
    """A state folder whose keys are opened again and again."""

    def __init__(self, folder: Path) -> None:
        self.file, self.marker = folder / "sparkwell.db", folder / "keys.used"
        self.at = NOW
        self.told: list[str] = []

    @contextmanager
    def open(self) -> Iterator[KeyKeeper]:
        with closing(Store(self.file, now=self.now)) as store:
            yield self.keeper(store)

    def keeper(self, store: Store) -> KeyKeeper:
        tell: Callable[[str, str], object] = lambda kind, _said: self.told.append(kind)  # noqa: E731
        return KeyKeeper(store, self.file, self.marker, tell=tell, now=self.now)

    def now(self) -> float:
        return self.at


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


def names(keeper: KeyKeeper) -> list[str]:
    return [key.name for key in keeper.all()]


def with_bob(case: Case) -> Made:
    with case.open() as keeper:
        return keeper.add(KeyWish("bob"))


# ── adding, rotating, revoking ──────────────────────────────────────────────────────────────


def test_a_key_is_good_at_once_and_with_the_next_daemon(case: Case) -> None:
    with case.open() as keeper:
        assert (keeper.standing, keeper.all()) == ("none", ())
        made = keeper.add(KeyWish("bob", ("m",), 1, 2, 3, 4, NOW + 60))
        assert keeper.book.of(made.secret) is made.key
        assert keeper.standing == "some"
    assert (case.marker.stat().st_mode & 0o777, case.told) == (0o600, ["key.added"])
    with case.open() as keeper:
        assert keeper.all() == (made.key,)
        assert keeper.book.of(made.secret) == made.key
        assert (made.key.models, made.key.rpm, made.key.priority) == (("m",), 1, 4)
        case.at += 60
        with pytest.raises(KeyRefusedError, match="expired"):
            keeper.book.of(made.secret)


def test_the_secret_is_nowhere(case: Case) -> None:
    made = with_bob(case)
    kept = b"".join(file.read_bytes() for file in case.file.parent.iterdir())
    assert made.secret.encode() not in kept
    assert made.key.digest in kept


@pytest.mark.parametrize(
    "name", ["", " bob", "bob ", "a\nb", "a\u202eb", "-x", "x" * 65, "key-1234abcd", "\udc80", "…"]
)
def test_names_that_make_trouble_are_refused(case: Case, name: str) -> None:
    with case.open() as keeper, pytest.raises(UsageError):
        keeper.add(KeyWish(name))
    assert not case.marker.exists()


@pytest.mark.parametrize(
    "wish",
    [
        KeyWish("a", rpm=0),
        KeyWish("a", rpm=1_000_001),
        KeyWish("a", tpm=-1),
        KeyWish("a", concurrency=0),
        KeyWish("a", priority=101),
        KeyWish("a", expires_at=NOW),
        KeyWish("a", expires_at=float("nan")),
        KeyWish("a", expires_at=float("inf")),
    ],
)
def test_values_that_make_no_key_are_refused(case: Case, wish: KeyWish) -> None:
    with case.open() as keeper:
        with pytest.raises(UsageError):
            keeper.add(wish)
        assert keeper.standing == "none"


def test_names_are_unique_among_living_keys(case: Case) -> None:
    with case.open() as keeper:
        keeper.add(KeyWish("bob", expires_at=NOW + 10))
        with pytest.raises(ConflictError, match="There is a key 'bob' already") as caught:
            keeper.add(KeyWish("bob"))
        assert "sparkwell keys rotate" in (caught.value.hint or "")
        case.at += 10
        second = keeper.add(KeyWish("bob"))
        assert keeper.revoke("bob").id == second.key.id
        third = keeper.add(KeyWish("bob"))
        assert keeper.book.of(third.secret)
        assert names(keeper) == ["bob", "bob", "bob"]


def test_there_are_not_too_many_keys(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparkwell.app.keys.wish.MOST_KEYS", 2)
    with case.open() as keeper:
        keeper.add(KeyWish("a"))
        keeper.add(KeyWish("b"))
        with pytest.raises(ConflictError, match="There are 2 keys already"):
            keeper.add(KeyWish("c"))
        keeper.revoke("a")
        keeper.add(KeyWish("c"))


def test_of_dead_keys_the_oldest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper_module, "KEPT_DEAD", 1)
    keys = [
        Key("1", "a", b"", "", 0.0, revoked_at=1.0),
        Key("2", "b", b"", "", 0.0),
        Key("3", "c", b"", "", 0.0, expires_at=5.0),
    ]
    assert [key.id for key in remembered(keys, 9.0)] == ["2", "3"]
    assert [key.id for key in remembered(keys, 4.0)] == ["1", "2", "3"]


def test_a_revoked_key_is_refused_from_then_on(case: Case) -> None:
    with case.open() as keeper:
        made, other = keeper.add(KeyWish("bob")), keeper.add(KeyWish("eve"))
        passage = keeper.turnstile.enter(keeper.book.of(made.secret), "m")
        keeper.revoke(made.key.id)
        with pytest.raises(KeyRefusedError, match="was revoked"):
            keeper.book.of(made.secret)
        assert keeper.book.of(other.secret)
        passage.leave(200, 7, 8)  # what it had asked for goes on, and counts
        ((row),) = keeper.usage(UsageQuery())
        assert (row.key_id, row.prompt_tokens, row.output_tokens) == (made.key.id, 7, 8)
        with pytest.raises(UsageError, match="The key 'bob' was revoked"):
            keeper.revoke("bob")
    with case.open() as keeper, pytest.raises(KeyRefusedError):
        keeper.book.of(made.secret)


def test_with_the_last_key_revoked_the_door_stays_shut(case: Case) -> None:
    with_bob(case)
    with case.open() as keeper:
        keeper.revoke("bob")
        assert keeper.standing == "some"
    with case.open() as keeper:
        assert keeper.standing == "some"


def test_a_new_secret_takes_the_place_of_the_old_one(case: Case) -> None:
    old = with_bob(case)
    with case.open() as keeper:
        new = keeper.rotate("bob")
        assert new.key.id == old.key.id
        assert keeper.book.of(new.secret)
        with pytest.raises(KeyRefusedError, match="has got a new secret"):
            keeper.book.of(old.secret)
        newer = keeper.rotate("bob", overlap_s=60.0)
        assert keeper.book.of(new.secret) is keeper.book.of(newer.secret) is newer.key
        assert keeper.book.of(old.secret) is None  # two before: it is not known any more
    with case.open() as keeper:
        assert keeper.book.of(new.secret)
        case.at += 60
        with pytest.raises(KeyRefusedError):
            keeper.book.of(new.secret)


@pytest.mark.parametrize("overlap_s", [-1.0, 1e9, float("nan"), float("inf")])
def test_an_overlap_has_an_end(case: Case, overlap_s: float) -> None:
    old = with_bob(case)
    with case.open() as keeper:
        with pytest.raises(UsageError, match="at most 366 days"):
            keeper.rotate("bob", overlap_s=overlap_s)
        assert keeper.book.of(old.secret)


def test_an_unknown_key_gets_near_names(case: Case) -> None:
    with_bob(case)
    with case.open() as keeper:
        for act in (keeper.revoke, keeper.rotate):
            with pytest.raises(UnknownKeyError, match="There is no key 'bobb'") as caught:
                act("bobb")
            assert caught.value.hint == "Did you mean 'bob'?"


# ── what is lost ────────────────────────────────────────────────────────────────────────────


def lose(file: Path) -> None:
    file.unlink()


def break_(file: Path) -> None:
    file.write_bytes(b"this is no database" * 1000)


def empty(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("DELETE FROM keys")


def no_space(*_words: object) -> int:
    raise OSError(28, "No space left on device")


def garble(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE keys SET digest = 'text'")


@pytest.mark.parametrize("harm", [lose, break_, empty, garble])
def test_keys_that_are_lost_close_the_door(case: Case, harm: Callable[[Path], None]) -> None:
    made = with_bob(case)
    harm(case.file)
    for _ in range(2):  # a second daemon finds the first one's new file
        with case.open() as keeper:
            assert keeper.standing == "broken"
            assert keeper.book.of(made.secret) is None
            for act in (keeper.all, lambda keeper=keeper: keeper.add(KeyWish("eve"))):
                with pytest.raises(KeysBrokenError, match="The keys are lost") as caught:
                    act()
                assert str(case.marker) in caught.value.message
                assert "sparkwell keys reset --yes" in (caught.value.hint or "")
    assert case.told.count("key.lost") == 2


def test_keys_that_cannot_be_read_need_no_marker(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_bob(case)
    garble(case.file)
    case.marker.unlink()
    with closing(Store(case.file)) as store:
        monkeypatch.setattr("sparkwell.app.keys.marker.os.open", no_space)
        assert case.keeper(store).standing == "broken"


def test_a_store_that_is_put_back_opens_it_again(case: Case) -> None:
    made = with_bob(case)
    saved = case.file.read_bytes()
    break_(case.file)
    with case.open() as keeper:
        assert keeper.standing == "broken"
    case.file.write_bytes(saved)
    with case.open() as keeper:
        assert (keeper.standing, keeper.book.of(made.secret)) == ("some", made.key)


@pytest.mark.parametrize("harm", [lose, garble, lambda _file: None])
def test_reset_forgets_all(case: Case, harm: Callable[[Path], None]) -> None:
    made = with_bob(case)
    harm(case.file)
    with case.open() as keeper:
        keeper.reset()
        assert (keeper.standing, keeper.all(), keeper.book.of(made.secret)) == ("none", (), None)
    assert not case.marker.exists()
    with case.open() as keeper:
        assert keeper.standing == "none"
        keeper.add(KeyWish("bob"))


def test_keys_without_a_marker_get_one(case: Case) -> None:
    with_bob(case)
    case.marker.unlink()
    with case.open() as keeper:
        assert keeper.standing == "some"
    assert case.marker.exists()


def test_a_marker_that_nobody_can_look_at_counts(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "no", str(path))

    monkeypatch.setattr(Path, "lstat", refuse)
    with case.open() as keeper:
        assert keeper.standing == "broken"


# ── a disk that fails ───────────────────────────────────────────────────────────────────────


@contextmanager
def read_only(case: Case, store: Store) -> Iterator[None]:
    """The store's next writes fail as on a read-only disk."""
    connection = store._db
    connection.execute("PRAGMA query_only = ON")
    yield


def test_a_key_that_cannot_be_kept_is_not_made(case: Case) -> None:
    bob = with_bob(case)
    with closing(Store(case.file)) as store:
        keeper = case.keeper(store)
        with read_only(case, store), pytest.raises(EnvironmentFault, match="cannot be written"):
            keeper.add(KeyWish("eve"))
        assert store.fault is not None
        assert (names(keeper), store.keys.count()) == (["bob"], 1)
        with pytest.raises(EnvironmentFault):
            keeper.rotate("bob", overlap_s=0.0)
        assert keeper.book.of(bob.secret)


def test_a_revoked_key_stays_out_even_if_it_cannot_be_written_down(case: Case) -> None:
    bob = with_bob(case)
    with closing(Store(case.file)) as store:
        keeper = case.keeper(store)
        with read_only(case, store), pytest.raises(EnvironmentFault, match="'bob' is revoked, but"):
            keeper.revoke("bob")
        with pytest.raises(KeyRefusedError):
            keeper.book.of(bob.secret)
    with case.open() as keeper, pytest.raises(KeyRefusedError):  # written back as it closed
        keeper.book.of(bob.secret)


def test_keys_that_may_come_back_are_not_forgotten(case: Case) -> None:
    bob = with_bob(case)
    with closing(Store(case.file)) as store:
        keeper = case.keeper(store)
        for _ in range(2):  # it fails as it is tried, and then is known to
            with (
                read_only(case, store),
                pytest.raises(EnvironmentFault, match="cannot be forgotten"),
            ):
                keeper.reset()
        assert (keeper.standing, keeper.book.of(bob.secret)) == ("some", bob.key)
    assert case.marker.exists()


def test_without_a_marker_there_is_no_key(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    with case.open() as keeper:
        with monkeypatch.context() as patch:
            patch.setattr("sparkwell.app.keys.marker.os.open", no_space)
            with pytest.raises(EnvironmentFault, match=r"keys\.used cannot be written \(No space"):
                keeper.add(KeyWish("bob"))
        assert (keeper.standing, keeper.all()) == ("none", ())
        keeper.add(KeyWish("bob"))
    with case.open() as keeper:
        assert names(keeper) == ["bob"]


def test_a_store_that_begins_anew_under_a_daemon_gets_the_keys_again(case: Case) -> None:
    bob = with_bob(case)
    with closing(Store(case.file)) as store:
        keeper = case.keeper(store)
        store.keys.replace([])  # as in the new file
        keeper.flush()
    with case.open() as keeper:
        assert (keeper.standing, keeper.book.of(bob.secret)) == ("some", bob.key)


def found_after_a_kill(case: Case, folder: Path) -> KeyKeeper:
    """The keys as the next daemon would find them if this one were killed now."""
    folder.mkdir()
    for each in case.file.parent.glob("*"):
        if each.name in (case.file.name, f"{case.file.name}-wal", case.marker.name):
            shutil.copy(each, folder)
    after = Case(folder)
    with after.open() as keeper:
        return keeper


@pytest.mark.parametrize("harm", HARMS)
def test_a_secret_is_not_shown_before_the_file_at_the_path_has_the_key(
    case: Case, tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    bob = with_bob(case)
    with case.open() as keeper:
        harm(case.file)
        eve = keeper.add(KeyWish("eve"))
        after = found_after_a_kill(case, tmp_path / "after")
        assert (after.standing, sorted(names(after))) == ("some", ["bob", "eve"])
        assert after.book.of(eve.secret) == eve.key
        assert case.told[-1] == "key.added"
    with case.open() as keeper:
        assert keeper.book.of(bob.secret) == bob.key
        assert sorted(names(keeper)) == ["bob", "eve"]


@pytest.mark.parametrize("harm", HARMS)
def test_a_file_that_is_spoilt_gets_the_keys_within_seconds(
    case: Case, tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    bob = with_bob(case)
    with case.open() as keeper:
        harm(case.file)
        keeper.flush()  # as every 2 s
        after = found_after_a_kill(case, tmp_path / "after")
        assert after.book.of(bob.secret) == bob.key


def test_a_key_that_no_file_keeps_is_not_made(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = with_bob(case)
    with case.open() as keeper:
        delete(case.file)
        monkeypatch.setattr("sparkwell.store.store.connected", no_file)
        with pytest.raises(EnvironmentFault, match="cannot be written down"):
            keeper.add(KeyWish("eve"))
        assert (keeper.standing, names(keeper)) == ("some", ["bob"])
        assert keeper.book.of(bob.secret)
        assert found_after_a_kill(case, tmp_path / "after").standing == "broken"


def no_file(*_words: object, **_more: object) -> sqlite3.Connection:
    error = sqlite3.OperationalError("unable to open database file")
    error.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
    raise error


# ── what is used ────────────────────────────────────────────────────────────────────────────


def use(keeper: KeyKeeper, made: Made | None, tokens: int = 1) -> None:
    keeper.turnstile.enter(made.key if made else None, "m").leave(200, tokens, tokens)


async def test_what_was_used_is_written_every_few_seconds(case: Case) -> None:
    with closing(Store(case.file)) as store:
        keeper = case.keeper(store)
        made = keeper.add(KeyWish("bob"))
        async with keeper.running(every_s=0.01):
            use(keeper, made, 5)
            async with asyncio.timeout(5):
                while not store.usage.rows(UsageQuery()):
                    await asyncio.sleep(0.01)
            use(keeper, made, 7)
            use(keeper, None)
        rows = {row.key_id: row.prompt_tokens for row in store.usage.rows(UsageQuery())}
        assert rows == {made.key.id: 12, "": 1}
        assert keeper.last_days() == {made.key.id: "2026-05-09", "": "2026-05-09"}


def test_what_could_not_be_written_is_written_later(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(Store(case.file)) as store:
        keeper = case.keeper(store)
        use(keeper, None, 3)

        def fail(_rows: object) -> None:
            raise sqlite3.OperationalError("no such table")

        with monkeypatch.context() as patch:
            patch.setattr(store.usage, "add", fail)
            keeper.flush()
        use(keeper, None, 4)
        assert [row.prompt_tokens for row in keeper.usage(UsageQuery())] == [7]


def test_figures_go_by_names(case: Case) -> None:
    with case.open() as keeper:
        made = keeper.add(KeyWish("bob", rpm=2))
        use(keeper, made, 3)
        keeper.revoke("bob")
        use(keeper, keeper.add(KeyWish("bob", models=("m",))), 4)
        use(keeper, None, 5)
        keeper.turnstile.enter(None, "m").leave(0, None, None)
        keeper.tally.refuse(made.key.id, "requests")
        keeper.flush()
        figures = keeper.figures()
    assert figures.requests == {
        ("bob", "m", "200"): 2,
        ("(none)", "m", "200"): 1,
        ("(none)", "m", "0"): 1,
    }
    assert figures.prompt_tokens == {("bob", "m"): 7, ("(none)", "m"): 5}
    assert figures.output_tokens == figures.prompt_tokens
    assert figures.refused == {("bob", "requests"): 1}

"""The daemon's own key: it opens the door whatever the keys are, and is in no list and no file."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sparkwell.admin.keys import AddKeyBody, UsageWanted
from sparkwell.app.keys.errors import UnknownKeyError
from sparkwell.app.keys.keeper import KeyKeeper
from sparkwell.app.keys.own_key import NAME, OwnKey
from sparkwell.app.keys.service import KeyService
from sparkwell.core.errors import UsageError
from sparkwell.core.keys import Key
from sparkwell.gateway.access import Door, Rules
from sparkwell.gateway.access_errors import InvalidKeyError, KeysUnreadableError
from sparkwell.gateway.caller import Caller, Room
from sparkwell.gateway.keys.book import Book
from sparkwell.store import Store


class Case:
    """A keeper over a store of its own, its service, and a daemon's own key in its book."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.keeper = KeyKeeper(store, folder / "sparkwell.db", folder / "keys.used")
        self.own = OwnKey(self.keeper.book)
        self.service = KeyService(self.keeper, lambda name: name)
        self.door = Door(self.keeper.book, Rules())

    def found(self) -> Key | None:
        return self.keeper.book.of(self.own.secret())


@pytest.fixture
def case(tmp_path: Path) -> Iterator[Case]:
    with closing(Store(tmp_path / "sparkwell.db")) as store:
        yield Case(store, tmp_path)


def asking(secret: str | None) -> Caller:
    """A program of this machine that asks a model."""
    return Caller(
        "POST",
        "/v1/chat/completions",
        "127.0.0.1",
        "localhost:8000",
        secret=secret,
        media_type="application/json",
    )


def test_it_is_in_the_book_whatever_becomes_of_others(case: Case, tmp_path: Path) -> None:
    def standing() -> object:
        assert case.found()
        return case.keeper.standing

    assert standing() == "none"
    assert not (tmp_path / "keys.used").exists()
    case.service.add_key(AddKeyBody(name="bob"))
    assert standing() == "some"
    case.service.revoke_key("bob")
    assert standing() == "some"
    case.service.reset_keys()
    assert standing() == "none"


def test_a_book_that_is_broken_still_has_it_and_the_door_is_closed(case: Case) -> None:
    case.keeper.book.use((), "broken")
    assert case.found()
    with pytest.raises(KeysUnreadableError):
        case.door.check(asking(case.own.secret()), Room.API)


def test_it_opens_the_door_where_keys_are_needed(case: Case) -> None:
    assert case.door.check(asking(None), Room.API) is None
    case.service.add_key(AddKeyBody(name="bob"))
    with pytest.raises(InvalidKeyError):
        case.door.check(asking(None), Room.API)
    key = case.door.check(asking(case.own.secret()), Room.API)
    assert key is not None
    assert (key.name, key.models, key.rpm, key.tpm, key.concurrency) == (NAME, (), None, None, None)


def test_it_is_in_no_list_and_no_file(case: Case, tmp_path: Path) -> None:
    case.service.add_key(AddKeyBody(name="bob"))
    secret = case.own.secret()
    assert [key["name"] for key in case.service.keys()["keys"]] == ["bob"]
    assert [key.name for key in case.keeper.all()] == ["bob"]
    digest = case.found()
    assert digest is not None
    for file in tmp_path.iterdir():
        content = file.read_bytes()
        assert secret.encode() not in content
        assert digest.digest not in content
    assert secret not in repr(case.own)
    for wanted in (NAME, "key-1"):
        with pytest.raises(UnknownKeyError):
            case.service.revoke_key(wanted)


def test_no_other_key_can_have_its_name(case: Case) -> None:
    with pytest.raises(UsageError, match="cannot be a key's name"):
        case.service.add_key(AddKeyBody(name=NAME))


def test_what_it_used_is_counted_under_its_name(case: Case) -> None:
    case.keeper.turnstile.enter(case.found(), "m").leave(200, 3, 4)
    (entry,) = case.service.usage(UsageWanted())["usage"]
    assert (entry["key"] or entry["key_id"], entry["output_tokens"]) == (NAME, 4)
    figures = case.keeper.figures()
    assert figures.output_tokens == {(NAME, "m"): 4}


def test_each_process_has_another(case: Case) -> None:
    other = Book()
    assert other.of(OwnKey(other).secret())
    assert other.of(case.own.secret()) is None

"""Keys as documents: names of models made out, no secret told twice, and usage by names."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sparkwell.admin.keys import AddKeyBody, RotateKeyBody, UsageWanted
from sparkwell.app.keys.errors import UnknownKeyError
from sparkwell.app.keys.keeper import KeyKeeper
from sparkwell.app.keys.service import KeyService
from sparkwell.core.errors import UnknownModelError, UsageError
from sparkwell.store import Store

NOW = 1_778_335_402.0  # 2026-05-09


class Case:
    """A service over a store of its own."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.at, self.file = NOW, folder / "sparkwell.db"
        marker = folder / "keys.used"
        self.keeper = KeyKeeper(store, self.file, marker, now=lambda: self.at)
        self.service = KeyService(self.keeper, named, now=lambda: self.at)

    def use(self, secret: str | None, model: str = "model-a", tokens: int = 1) -> None:
        key = None if secret is None else self.keeper.book.of(secret)
        self.keeper.turnstile.enter(key, model).leave(200, tokens, tokens)


def named(name: str) -> str:
    if name.lower() not in ("model-a", "org/a", "model-b"):
        raise UnknownModelError(f"There is no model {name!r}.", hint="Did you mean model-a?")
    return "model-b" if name.lower() == "model-b" else "model-a"


@pytest.fixture
def case(tmp_path: Path) -> Iterator[Case]:
    with closing(Store(tmp_path / "sparkwell.db")) as store:
        yield Case(store, tmp_path)


def test_models_are_known_by_any_of_their_names(case: Case) -> None:
    done = case.service.add_key(AddKeyBody(name="bob", models=("ORG/A", "model-a", "model-b")))
    assert done["key"]["models"] == ["model-a", "model-b"]
    with pytest.raises(UnknownModelError, match="There is no model 'x'"):
        case.service.add_key(AddKeyBody(name="eve", models=("x",)))
    assert [key["name"] for key in case.service.keys()["keys"]] == ["bob"]


def test_a_key_is_told_without_its_secret(case: Case) -> None:
    done = case.service.add_key(AddKeyBody(name="bob", rpm=3, expires_at=NOW + 5))
    assert done["living"] == 1
    told = case.service.keys()
    entry = {
        "id": done["key"]["id"],
        "name": "bob",
        "state": "active",
        "hint": done["secret"][-4:],
        "models": [],
        "rpm": 3,
        "tpm": None,
        "concurrency": None,
        "priority": 0,
        "created_at": NOW,
        "expires_at": NOW + 5,
        "revoked_at": None,
        "former_secret_until": None,
        "last_used": None,
    }
    assert told == {"standing": "some", "keys": [entry]}
    assert done["secret"] not in json.dumps(told)
    case.use(done["secret"])
    assert case.service.keys()["keys"][0]["last_used"] == "2026-05-09"
    case.at += 5
    assert case.service.keys()["keys"][0]["state"] == "expired"


def test_a_rotated_key_tells_until_when_the_old_secret_is_good(case: Case) -> None:
    case.service.add_key(AddKeyBody(name="bob"))
    done = case.service.rotate_key(RotateKeyBody(key="bob", overlap_s=60))
    assert done["key"]["former_secret_until"] == NOW + 60
    case.at += 60
    assert case.service.keys()["keys"][0]["former_secret_until"] is None


def test_a_revoked_key_tells_how_many_are_left(case: Case) -> None:
    case.service.add_key(AddKeyBody(name="bob"))
    case.service.add_key(AddKeyBody(name="eve"))
    done = case.service.revoke_key("bob")
    assert (done["key"]["state"], done["key"]["revoked_at"], done["left"]) == ("revoked", NOW, 1)
    assert case.service.revoke_key("eve")["left"] == 0
    assert case.service.reset_keys() == {"forgotten": 2}
    assert case.service.keys() == {"standing": "none", "keys": []}


def test_usage_by_name_model_and_day(case: Case) -> None:
    secret = case.service.add_key(AddKeyBody(name="bob"))["secret"]
    case.use(secret, "model-a", 1)
    case.at += 86_400
    case.use(secret, "model-b", 2)
    case.use(None, "model-b", 4)

    def tokens(**wanted: object) -> list[int]:
        found = case.service.usage(UsageWanted.model_validate(wanted))
        return [entry["output_tokens"] for entry in found["usage"]]

    assert sorted(tokens()) == [1, 2, 4]
    assert tokens(key="bob") == [1, 2]
    assert tokens(key="-") == [4]
    assert tokens(key="bob", model="MODEL-B") == [2]
    assert tokens(key="bob", since=NOW) == [1, 2]
    assert tokens(key="bob", since=NOW + 86_400) == [2]
    with pytest.raises(UnknownKeyError):
        tokens(key="bop")
    with pytest.raises(UnknownModelError):
        tokens(model="x")


def test_usage_tells_names_and_what_it_covers(case: Case) -> None:
    secret = case.service.add_key(AddKeyBody(name="bob"))["secret"]
    case.use(secret)
    case.keeper.turnstile.enter(None, "model-a").leave(200, None, None)
    no_key, bob = case.service.usage(UsageWanted(since=NOW - 86_400))["usage"]
    assert (no_key["key"], no_key["key_id"], no_key["uncounted"]) == (None, None, 1)
    assert (bob["key"], bob["day"], bob["requests"]) == ("bob", "2026-05-09", 1)
    assert case.service.usage(UsageWanted(since=NOW - 86_400))["since"] == "2026-05-08"
    assert case.service.usage(UsageWanted())["since"] is None


def test_what_a_revoked_key_used_is_still_its_own(case: Case) -> None:
    for _ in range(2):
        case.use(case.service.add_key(AddKeyBody(name="bob"))["secret"])
        case.service.revoke_key("bob")
    assert len(case.service.usage(UsageWanted(key="bob"))["usage"]) == 2
    case.service.reset_keys()
    assert {each["key"] for each in case.service.usage(UsageWanted())["usage"]} == {None}


@pytest.mark.parametrize("since", [NOW + 1, float("nan"), float("inf")])
def test_nothing_was_used_after_now(case: Case, since: float) -> None:
    with pytest.raises(UsageError, match="after now"):
        case.service.usage(UsageWanted(since=since))


def test_a_time_before_1970_means_from_the_beginning(case: Case) -> None:
    assert case.service.usage(UsageWanted(since=float("-inf")))["since"] == "1970-01-01"


def test_lost_keys_are_told_as_broken(case: Case, tmp_path: Path) -> None:
    (tmp_path / "keys.used").touch()
    with closing(Store(tmp_path / "other.db")) as store:
        keeper = KeyKeeper(store, tmp_path / "other.db", tmp_path / "keys.used")
        service = KeyService(keeper, named)
        assert service.keys() == {"standing": "broken", "keys": []}
        assert service.usage(UsageWanted())["usage"] == []

"""Keys by their secrets: who is known, who is refused and told why, and the same path for all."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkwell.core.keys import Key
from sparkwell.gateway.keys import book as book_module
from sparkwell.gateway.keys.book import Book
from sparkwell.gateway.keys.errors import KeyRefusedError
from sparkwell.gateway.keys.making import digest_of, hint_of, make_id, make_secret
from sparkwell.gateway.keys.seam import KeyBook

SECRET = "sk-sw-" + "a" * 43
OLD = "sk-sw-" + "b" * 43
KEY = Key("key-00000001", "bob", digest_of(SECRET), hint_of(SECRET), 0.0)


def book_of(*keys: Key, now: Callable[[], float] = lambda: 100.0) -> Book:
    book = Book(now)
    book.use(keys, "some")
    return book


def test_a_secret_has_256_random_bits() -> None:
    secrets = {make_secret() for _ in range(100)}
    assert len(secrets) == 100
    assert all(re.fullmatch(r"sk-sw-[A-Za-z0-9_-]{43}", each) for each in secrets)
    assert re.fullmatch(r"key-[0-9a-f]{8}", make_id())
    assert hint_of(SECRET) == "aaaa"


def test_the_right_secret_finds_its_key_and_no_other_does() -> None:
    book: KeyBook = book_of(KEY)
    assert book.of(SECRET) is KEY
    for wrong in ("", SECRET[:-1], SECRET + "a", SECRET.upper(), "key-00000001", OLD):
        assert book.of(wrong) is None


@settings(deadline=None)
@given(st.text(st.characters(codec=None), max_size=300))
def test_whatever_a_client_sends_is_looked_up(secret: str) -> None:
    assert book_of(KEY).of(secret) is None


def test_a_wrong_secret_is_compared_too(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[int] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append(len(one) * len(other))
        return one == other

    monkeypatch.setattr(book_module, "compare_digest", compare)
    book = book_of(KEY)
    assert (book.of(SECRET), book.of(OLD)) == (KEY, None)
    assert compared == [32 * 32, 32 * 32]


def test_standing_is_as_it_was_told() -> None:
    assert Book().standing == "none"
    book = Book()
    book.use((), "broken")
    assert book.standing == "broken"
    assert book.of(SECRET) is None


def test_a_revoked_key_is_refused_by_name() -> None:
    with pytest.raises(KeyRefusedError, match="'bob' was revoked") as caught:
        book_of(replace(KEY, revoked_at=99.0)).of(SECRET)
    assert (caught.value.code, caught.value.http_status) == ("invalid_api_key", 401)
    with pytest.raises(KeyRefusedError):  # a clock that went back brings nobody back
        book_of(replace(KEY, revoked_at=99.0), now=lambda: 1.0).of(SECRET)


def test_a_key_expires_at_its_moment() -> None:
    key = replace(KEY, expires_at=100.0)
    assert book_of(key, now=lambda: 99.999).of(SECRET) is key
    with pytest.raises(KeyRefusedError, match="'bob' expired on 1970-01-01 00:01 UTC"):
        book_of(key).of(SECRET)


def test_the_former_secret_is_good_until_its_moment() -> None:
    key = replace(KEY, former_digest=digest_of(OLD), former_until=100.0)
    before, after = book_of(key, now=lambda: 99.9), book_of(key)
    assert (before.of(OLD), before.of(SECRET), after.of(SECRET)) == (key, key, key)
    with pytest.raises(KeyRefusedError, match="has got a new secret"):
        after.of(OLD)


def test_the_former_secret_does_not_outlive_its_key() -> None:
    key = replace(KEY, former_digest=digest_of(OLD), former_until=1e9)
    with pytest.raises(KeyRefusedError, match="was revoked"):
        book_of(replace(key, revoked_at=1.0)).of(OLD)
    with pytest.raises(KeyRefusedError, match="expired"):
        book_of(replace(key, expires_at=50.0)).of(OLD)


def test_a_change_is_seen_at_once() -> None:
    book = book_of(KEY)
    book.use((replace(KEY, digest=digest_of(OLD)),), "some")
    assert book.of(SECRET) is None
    assert book.of(OLD) is not None

"""What keys cost each request: bounds are several times what was measured (docs/keys.md)."""

from timeit import repeat

from sparkwell.core.keys import Key
from sparkwell.gateway.keys.book import Book
from sparkwell.gateway.keys.making import digest_of, make_secret
from sparkwell.gateway.keys.tally import Tally
from sparkwell.gateway.keys.turnstile import LimitingTurnstile

TIMES = 2000
SECRETS = [make_secret() for _ in range(100)]
KEYS = [
    Key(
        f"key-{number:08}",
        f"name {number}",
        digest_of(secret),
        secret[-4:],
        0.0,
        models=("m", "n"),
        rpm=1_000_000,
        tpm=1_000_000_000,
        concurrency=10,
        expires_at=1e11,
    )
    for number, secret in enumerate(SECRETS)
]


def cost_us(work: object) -> float:
    """Microseconds of the quickest of many rounds: what else the machine does is not in it."""
    assert callable(work)
    return min(repeat(work, number=TIMES, repeat=20)) / TIMES * 1e6


def test_looking_a_secret_up() -> None:
    book, wrong = Book(), make_secret()
    book.use(KEYS, "some")
    assert cost_us(lambda: book.of(SECRETS[50])) < 10
    assert cost_us(lambda: book.of(wrong)) < 10


def test_entering_and_leaving_with_all_limits() -> None:
    turnstile, key = LimitingTurnstile(Tally()), KEYS[50]
    assert cost_us(lambda: turnstile.enter(key, "m").leave(200, 100, 50)) < 20

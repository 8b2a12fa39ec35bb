"""`sparkwell keys` and `usage`: over the store itself, and over a daemon's socket."""

import asyncio
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from click.testing import CliRunner, Result

from sparkwell.admin.api import admin_application
from sparkwell.app.keys.keeper import KeyKeeper
from sparkwell.app.keys.service import KeyService
from sparkwell.app.lock import held
from sparkwell.app.paths import Paths
from sparkwell.cli.context import Context
from sparkwell.cli.keys.command import keys
from sparkwell.cli.times import SinceDay, Until, moment, span_s
from sparkwell.cli.usage import usage
from sparkwell.core.errors import (
    ConflictError,
    DocumentError,
    EnvironmentFault,
    SparkwellError,
    UnknownModelError,
    UsageError,
)
from sparkwell.gateway.keys.errors import KeyRefusedError
from sparkwell.store import Store

SECRET = re.compile(r"sk-sw-[A-Za-z0-9_-]{43}\n")
Call = Callable[..., Result]


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return Context({"SPARKWELL_HOME": str(tmp_path), "PATH": ""}, None, (), system=False)


@pytest.fixture
def call(context: Context) -> Call:
    def run(*words: str, command: Any = keys) -> Result:
        return CliRunner().invoke(command, words, obj=context)

    return run


@pytest.fixture(autouse=True)
def in_a_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@contextmanager
def daemon(paths: Paths) -> Iterator[KeyKeeper]:
    """What a daemon has of keys, on its socket and under its lock, in a thread of its own."""
    paths.make()
    ready, made = threading.Event(), list[KeyKeeper]()
    loop = asyncio.new_event_loop()
    end = asyncio.Event()

    async def serve() -> None:
        with held(paths.lock), closing(Store(paths.store)) as store:
            keeper = KeyKeeper(store, paths.store, paths.keys_marker)
            control: Any = object()
            service = KeyService(keeper, lambda name: name)
            runner = web.AppRunner(admin_application(control, service), shutdown_timeout=0.01)
            await runner.setup()
            await web.UnixSite(runner, str(paths.socket)).start()
            made.append(keeper)
            ready.set()
            await end.wait()
            await runner.cleanup()
            keeper.flush()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert ready.wait(10)
        yield made[0]
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join(10)
        loop.close()


@pytest.fixture(params=["store", "daemon"])
def place(request: pytest.FixtureRequest, context: Context) -> Iterator[str]:
    """The same words do the same, whoever keeps the keys."""
    if request.param == "store":
        yield "store"
        return
    with daemon(context.paths):
        yield "daemon"


def listed(call: Call) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(call("list", "--json").stdout)["keys"]
    return found


# ── over both ───────────────────────────────────────────────────────────────────────────────


def test_the_secret_alone_is_on_stdout(call: Call, place: str) -> None:
    done = call("add", "bob", "--rpm", "60", "--expires", "30d")
    assert SECRET.fullmatch(done.stdout)
    assert re.match(r"Key bob \(key-[0-9a-f]{8}\): for all models, 60 requests/min, ", done.stderr)
    assert "Requests without a key are refused now" in done.stderr
    assert "Requests without" not in call("add", "eve").stderr
    (bob, _) = listed(call)
    assert bob["hint"] == done.stdout.strip()[-4:]
    assert bob["expires_at"] == pytest.approx(time.time() + 30 * 86_400, abs=60)


def test_json_has_key_and_secret(call: Call, place: str) -> None:
    done = json.loads(call("add", "bob", "--json", "--tpm", "5", "--concurrency", "2").stdout)
    assert SECRET.fullmatch(done["secret"] + "\n")
    assert (done["key"]["name"], done["key"]["tpm"], done["key"]["concurrency"]) == ("bob", 5, 2)


def test_a_life_of_a_key(call: Call, place: str) -> None:
    first = call("add", "bob").stdout
    second = call("rotate", "bob", "--overlap", "1h")
    assert SECRET.fullmatch(second.stdout)
    assert second.stdout != first
    assert "its old secret is good until 20" in second.stderr
    assert "its old secret is refused from now on" in call("rotate", "bob").stderr
    said = call("revoke", "bob")
    assert re.fullmatch(r"Revoked bob \(key-[0-9a-f]{8}\)\.\n", said.stdout)
    assert "No key is left: no request is served." in said.stderr
    assert call("list").stdout.startswith("All keys are revoked (--all shows them): no request")
    assert "revoked" in call("list", "--all").stdout
    assert call("reset", "--yes").stdout == "Forgot all keys (1).\n"
    assert call("list").stdout.startswith("There is no key: only this machine is served")


def test_the_table(call: Call, place: str) -> None:
    call("add", "bob", "--models", "demo-qwen3, demo-llama", "--tpm", "100000", "--priority", "-3")
    call("add", "älice", "--concurrency", "2")
    head, bob, alice = call("list").stdout.splitlines()
    heads = ["NAME", "STATE", "MODELS", "LIMITS", "EXPIRES (LOCAL)", "LAST USED (UTC)"]
    heads += ["SECRET", "ID"]
    assert re.split(r" {2,}", head) == heads
    assert "demo-qwen3, demo-llama  100,000 tokens/min, priority -3  never" in bob
    assert re.match(r"älice +active +all +2 at a time +never +never +….{4} +key-", alice)


def test_where_everybody_is_served_nobody_is_said_to_be_refused(
    call: Call, context: Context, place: str
) -> None:
    context.paths.config.mkdir(parents=True)
    context.paths.config_file.write_text("gateway: {auth: none}")
    assert call("list").stdout == (
        "There is no key; `gateway.auth: none` in the settings serves everybody.\n"
    )
    assert "refused" not in call("add", "bob").stderr
    assert call("revoke", "bob").stderr == ""
    assert "serves everybody" in call("list").stdout


def test_a_broken_settings_file_costs_no_secret(call: Call, context: Context, place: str) -> None:
    context.paths.config.mkdir(parents=True)
    context.paths.config_file.write_text("gateway: 7")
    assert isinstance(call("add", "bob").exception, DocumentError)
    context.paths.config_file.unlink()
    context.__dict__.pop("settings", None)
    assert listed(call) == []


def test_refusals_are_ours(call: Call, place: str) -> None:
    call("add", "bob")
    for words in (("add", "bob"), ("revoke", "bop"), ("rotate", "x"), ("add", "c", "--rpm", "0")):
        done = call(*words)
        assert isinstance(done.exception, SparkwellError)
        assert done.stdout == ""
    assert len(listed(call)) == 1


# ── over the store itself ───────────────────────────────────────────────────────────────────


def test_an_unknown_model_is_refused_with_near_names(call: Call, context: Context) -> None:
    done = call("add", "bob", "--models", "demo-qwen3,demo-lama")
    assert isinstance(done.exception, UnknownModelError)
    assert "demo-llama" in (done.exception.hint or "")
    assert not context.paths.keys_marker.exists()


@pytest.mark.parametrize("models", ["", " , "])
def test_no_model_does_not_mean_all(call: Call, models: str) -> None:
    assert isinstance(call("add", "bob", "--models", models).exception, UsageError)


def test_listing_creates_nothing(call: Call, context: Context) -> None:
    assert call("list").stdout.startswith("There is no key")
    assert call(command=usage).stdout.startswith("Nothing was used since")
    assert not context.paths.state.exists()


def test_a_daemon_that_does_not_answer_is_not_worked_around(call: Call, context: Context) -> None:
    context.paths.make()
    with held(context.paths.lock):
        done = call("add", "bob")
    assert isinstance(done.exception, ConflictError)
    assert listed(call) == []


@pytest.mark.parametrize("harm", ["unlink", "break"])
@pytest.mark.parametrize("words", [("list",), ("list", "--json"), ("add", "eve"), ("revoke", "b")])
def test_lost_keys_say_what_to_do(
    call: Call, context: Context, harm: str, words: tuple[str, ...]
) -> None:
    call("add", "bob")
    store = context.paths.store
    store.unlink() if harm == "unlink" else store.write_bytes(b"no database" * 1000)
    done = call(*words)
    assert isinstance(done.exception, EnvironmentFault)
    assert done.exception.code == "keys_broken"
    assert "sparkwell keys reset --yes" in (done.exception.hint or "")
    assert call("reset", "--yes").exit_code == 0
    assert call("add", "bob").exit_code == 0


def test_a_store_that_never_had_keys_may_be_broken(call: Call, context: Context) -> None:
    context.paths.make()
    context.paths.store.write_bytes(b"no database" * 1000)
    done = call("list")
    assert isinstance(done.exception, EnvironmentFault)
    assert "cannot be read" in done.exception.message


def test_reset_wants_a_yes(call: Call) -> None:
    call("add", "bob")
    done = call("reset")
    assert isinstance(done.exception, UsageError)
    assert len(listed(call)) == 1


@pytest.mark.parametrize("when", ["x", "30 years", "2026-13-01", "", "1e3d", "-", "-x", "--3d"])
def test_times_that_are_none(call: Call, when: str) -> None:
    done = call("add", "bob", "--expires", when)
    assert (done.exit_code, "neither a length of time" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("when", "words"),
    [
        ("999999999999999d", "is too far off: there are no dates after the year 9999"),
        ("99999999d", "is too far off"),
        ("9999-12-31", "is too far off"),
        (f"{'9' * 400}d", "is too far off"),
        ("-3d", "'-3d' is a negative length of time; write it without the sign, as in 2h"),
    ],
)
def test_times_that_cannot_be_meant(call: Call, when: str, words: str) -> None:
    done = call("add", "bob", "--expires", when)
    assert (done.exit_code, words in done.stderr) == (2, True)
    assert "neither" not in done.stderr


def test_an_overlap_that_is_none(call: Call) -> None:
    assert "too long a time" in call("rotate", "bob", "--overlap", f"{'9' * 400}d").stderr
    assert "negative length of time" in call("rotate", "bob", "--overlap", "-1h").stderr


@pytest.mark.parametrize("value", ["abc", "0", "-1", "1.5", "1000001", ""])
def test_a_limit_that_is_none_names_its_option(call: Call, value: str) -> None:
    done = call("add", "bob", "--rpm", value)
    assert isinstance(done.exception, UsageError)
    assert done.exception.message == (
        f"--rpm is a whole number from 1 to 1,000,000, not {value!r}."
    )
    for option, words in (
        ("tpm", "from 1 to 1,000,000,000"),
        ("concurrency", "from 1 to 100,000"),
        ("priority", "from -100 to 100"),
    ):
        error: Any = call("add", "bob", f"--{option}", "101.5").exception
        assert error.message.startswith(f"--{option} is a whole number {words}, not")


def test_the_table_shortens_a_long_name_and_json_does_not(call: Call) -> None:
    call("add", "b" * 64)
    call("add", "c" * 24)
    _, long, short = call("list").stdout.splitlines()
    assert long.startswith(f"{'b' * 23}…  active")
    assert short.startswith(f"{'c' * 24}  active")
    assert [each["name"] for each in listed(call)] == ["b" * 64, "c" * 24]


def test_a_day_is_shown_as_it_was_typed(call: Call) -> None:
    made = call("add", "bob", "--expires", "2099-11-25")
    assert "for all models, through 2099-11-25." in made.stderr
    assert "through 2099-11-25  never" in call("list").stdout
    made = call("add", "eve", "--expires", "2099-11-25T14:30")
    assert "for all models, until 2099-11-25 14:30." in made.stderr
    assert "until 2099-11-25 14:30  never" in call("list").stdout


def test_times_that_are() -> None:
    def until(text: str) -> str:
        return moment(Until().convert(text, None, None))

    assert until("2026-12-31") == "2027-01-01 00:00"  # good to the end of that day
    assert until("2026-12-31T08:30") == "2026-12-31 08:30"
    assert until("2026-07-01T00:00Z") == "2026-07-01 02:00"
    assert [span_s(text) for text in ("90s", "1.5 min", "2h", "1w", "-1d", "5")] == [
        *(90.0, 90.0, 7200.0, 604_800.0),
        *(None, None),
    ]


def test_the_day_of_usage_is_that_of_utc() -> None:
    """In Berlin that day begins earlier."""
    day = SinceDay().convert("2026-05-09", None, None)
    assert moment(day) == "2026-05-09 02:00"
    assert moment(SinceDay().convert("2026-05-09T14:30", None, None)) == "2026-05-09 14:30"


@pytest.mark.parametrize(
    ("since", "words"),
    [
        ("tomorrow", "neither an age such as 1d or 4w, nor a day (UTC) such as 2026-05-09"),
        ("-1d", "a negative length of time"),
        ("99999999d", "too long ago"),
    ],
)
def test_a_day_that_is_none(call: Call, since: str, words: str) -> None:
    done = call("--since", since, command=usage)
    assert (done.exit_code, f"'{since}' is {words}" in done.stderr) == (2, True)


# ── over a daemon ───────────────────────────────────────────────────────────────────────────


def test_the_gateway_knows_at_once(call: Call, context: Context) -> None:
    with daemon(context.paths) as keeper:
        secret = call("add", "bob").stdout.strip()
        assert keeper.book.of(secret)
        call("revoke", "bob")
        with pytest.raises(KeyRefusedError):
            keeper.book.of(secret)


def test_a_daemon_that_lost_its_keys_says_so(call: Call, context: Context) -> None:
    call("add", "bob")
    context.paths.store.unlink()
    with daemon(context.paths):
        for words in (("list",), ("add", "eve"), ("rotate", "bob")):
            error: Any = call(*words).exception
            assert error.code == "keys_broken"
            assert "sparkwell keys reset --yes" in error.hint


# ── usage ───────────────────────────────────────────────────────────────────────────────────


def use(keeper: KeyKeeper, secret: str | None, model: str, *used: int | None) -> None:
    key = keeper.book.of(secret) if secret else None
    keeper.turnstile.enter(key, model).leave(used[0] or 0, *used[1:])


USED = """\
KEY    MODEL       REQUESTS  ERRORS  PROMPT TOKENS  OUTPUT TOKENS
bob    demo-qwen3         2       1          1,200         34,567
älice  demo-llama         1       0             10              5
-      demo-qwen3         1       0              0              0
all                       4       1          1,210         34,572

Used since DAY (UTC). Answers of which the tokens are not known: 1.
"""


def test_usage_at_a_glance(call: Call, context: Context) -> None:
    bob, alice = (call("add", name).stdout.strip() for name in ("bob", "älice"))
    with daemon(context.paths) as keeper:
        use(keeper, bob, "demo-qwen3", 200, 1200, 34_567)
        use(keeper, bob, "demo-qwen3", 500, None, None)
        use(keeper, alice, "demo-llama", 200, 10, 5)
        use(keeper, None, "demo-qwen3", 200, None, None)
        asked = [call(command=usage).stdout]
        per_day = json.loads(call("--json", "--key", "bob", command=usage).stdout)
    asked.append(call(command=usage).stdout)  # from the file, when the daemon has gone
    for text in asked:
        assert re.sub(r"\d{4}-\d\d-\d\d", "DAY", text) == USED
    ((entry),) = per_day["usage"]
    assert (entry["key"], entry["requests"], entry["output_tokens"]) == ("bob", 2, 34_567)
    one = call("--key", "älice", "--since", "1d", command=usage).stdout.splitlines()
    assert len(one) == 4  # no sum of one
    unknown: Any = call("--key", "bop", command=usage).exception
    assert unknown.code == "key_not_found"

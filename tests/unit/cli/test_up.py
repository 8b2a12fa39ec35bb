"""`up`: what is refused at once, Ctrl-C while others make room, and how a failure is told."""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from click.testing import CliRunner

from sparkwell.cli import bringing_up as module
from sparkwell.cli import up as up_module
from sparkwell.cli.bringing_up import Begun, Wanted, bring_up
from sparkwell.cli.client import AdminClient
from sparkwell.cli.context import Context
from sparkwell.cli.finding_told import StartFailedError
from sparkwell.cli.main import _colours, _complain
from sparkwell.cli.progress import follow_start
from sparkwell.cli.start_told import checked
from sparkwell.core.errors import EnvironmentFault, NotReadyError, UsageError

BEGUN = {"instance": "m-1", "model": "m", "new": True}


class Client:
    """A daemon whose `up` answers when the test lets it; ``states`` are what status shows."""

    def __init__(self, *states: str) -> None:
        self.posted: list[tuple[str, Any]] = []
        self.answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self.states = list(states)
        self.down: Callable[[], None] = lambda: None

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(self, *_of_what: object) -> None:
        """Nothing to close."""

    async def post(self, path: str, body: Any) -> dict[str, Any]:
        self.posted.append((path, body.get("model")))
        if path == "up":
            return await self.answer
        if path == "down":
            self.down()
        return {}

    async def get(self, path: str) -> dict[str, Any]:
        assert path == "status"
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        shown: dict[str, Any] = {
            "id": "m-1",
            "model": "m",
            "state": state,
            "last_lines": [],
            "start_s": None,
            "phase": "queue",
            "phase_title": "waiting",
            "elapsed_s": 0.0,
        }
        return {"instances": [shown], "gateway": "http://x"}

    @property
    def asked(self) -> list[str]:
        return [path for path, _ in self.posted]


@pytest.fixture
async def client(monkeypatch: pytest.MonkeyPatch) -> Client:
    client = Client("ready")

    async def there(*_of_what: object) -> bool:
        return False

    monkeypatch.setattr(module, "AdminClient", lambda *_of_what: client)
    monkeypatch.setattr(module, "have_daemon", there)
    monkeypatch.setattr(module, "CALL_OFF_S", 0.01)
    return client


def bringing_up(tmp_path: Path, *, switch: bool) -> "asyncio.Task[list[Any]]":
    context = Context({"SPARKWELL_HOME": str(tmp_path)}, None, (), system=False)
    wanted = Wanted(("m",), switch=switch)
    return asyncio.create_task(bring_up(context, wanted, quiet=True))


async def interrupted(task: "asyncio.Task[list[Any]]") -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 5)


# ── Ctrl-C ──────────────────────────────────────────────────────────────────────────────────


async def test_a_switch_that_waits_for_others_is_called_off(client: Client, tmp_path: Path) -> None:
    """Else they would leave for it, and it would be stopped at once."""
    task = bringing_up(tmp_path, switch=True)
    await asyncio.sleep(0.01)
    refusal = NotReadyError("m was stopped with `sparkwell down`.")
    client.down = partial(client.answer.set_exception, refusal)
    await interrupted(task)
    assert client.posted == [("up", None), ("down", "m")]


async def test_it_is_called_off_again_until_it_is(client: Client, tmp_path: Path) -> None:
    """The first word may come before the daemon knows of the switch."""
    task = bringing_up(tmp_path, switch=True)
    await asyncio.sleep(0.01)
    answers = iter([UsageError("m does not run."), None])

    def down() -> None:
        if error := next(answers):
            raise error
        client.answer.set_exception(NotReadyError("m was stopped."))

    client.down = down
    await interrupted(task)
    assert client.asked == ["up", "down", "down"]


async def test_one_that_has_begun_is_taken_back(client: Client, tmp_path: Path) -> None:
    client.states = ["starting"]
    task = bringing_up(tmp_path, switch=True)
    client.answer.set_result({"instances": [BEGUN]})
    await asyncio.sleep(0.01)
    await interrupted(task)
    assert client.posted == [("up", None), ("down", "m")]


@pytest.mark.parametrize("quiet", [True, False])
async def test_taking_back_is_told_unless_it_is_quiet(
    client: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str], quiet: bool
) -> None:
    """Each start of a tuning that a limit cuts would say it, in the middle of what it shows."""
    client.states = ["starting"]
    context = Context({"SPARKWELL_HOME": str(tmp_path)}, None, (), system=False)
    task = asyncio.create_task(bring_up(context, Wanted(("m",)), quiet=quiet))
    client.answer.set_result({"instances": [BEGUN]})
    await asyncio.sleep(0.01)
    await interrupted(task)
    assert client.asked == ["up", "down"]
    assert ("Stopping again" in capsys.readouterr().err) is not quiet


async def test_what_ran_before_goes_on(client: Client, tmp_path: Path) -> None:
    client.states = ["starting"]
    task = bringing_up(tmp_path, switch=True)
    client.answer.set_result({"instances": [{**BEGUN, "new": False}]})
    await asyncio.sleep(0.01)
    await interrupted(task)
    assert client.asked == ["up"]


async def test_an_up_without_a_switch_is_waited_for(client: Client, tmp_path: Path) -> None:
    task = bringing_up(tmp_path, switch=False)
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.sleep(0.05)
    assert client.asked == ["up"]
    client.answer.set_result({"instances": [BEGUN]})
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 5)
    assert client.asked == ["up", "down"]


async def had(client: Client, tmp_path: Path, *, new: bool) -> Begun:
    """What `bring_up` says that it has begun, however it ends."""
    context, begun = Context({"SPARKWELL_HOME": str(tmp_path)}, None, (), system=False), Begun()
    client.answer.set_result({"instances": [{**BEGUN, "new": new}]})
    with suppress(StartFailedError):
        await bring_up(context, Wanted(("m",)), quiet=True, begun=begun)
    return begun


@pytest.mark.parametrize("state", ["ready", "failed"])
async def test_what_was_begun_is_handed_back(client: Client, tmp_path: Path, state: str) -> None:
    client.states = [state]
    assert await had(client, tmp_path, new=True) == Begun(models=("m",), runs=("m-1",))


async def test_somebody_elses_model_is_none_of_it(client: Client, tmp_path: Path) -> None:
    assert await had(client, tmp_path, new=False) == Begun()


# ── following ───────────────────────────────────────────────────────────────────────────────


async def follow(client: Client) -> Any:
    up_module_client = cast("AdminClient", client)
    return await asyncio.wait_for(follow_start(up_module_client, "m-1", quiet=True), 5)


async def test_one_that_wakes_is_followed_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparkwell.cli.progress.POLL_S", 0.0)
    assert (await follow(Client("waking", "waking", "ready")))["state"] == "ready"


async def test_one_that_has_no_room_to_wake_says_so() -> None:
    asleep = await follow(Client("asleep"))
    with pytest.raises(EnvironmentFault, match=r"it sleeps, and there is no room .*--switch"):
        checked(asleep)


# ── what is refused ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("demo-qwen3", "demo-llama", "--switch"), "--switch takes one MODEL"),
        (("demo-qwen3", "--switch", "--force"), "give one of them"),
    ],
)
def test_a_switch_is_one_models(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    context = Context({"SPARKWELL_HOME": str(tmp_path)}, None, (), system=False)
    result = CliRunner().invoke(up_module.up, [*arguments], obj=context)
    assert result.exit_code == 2
    assert said in result.output


# ── a start that failed ─────────────────────────────────────────────────────────────────────

FOUND: dict[str, Any] = {
    "id": "kv-cache-none",
    "severity": "error",
    "title": "No memory remains for the KV cache",
    "evidence": ["m-1, line 4: ValueError: No available memory for the cache blocks."],
    "cause": "Weights take all of it.",
    "remedies": [{"text": "See the plan.", "command": "sparkwell plan m", "fix": None}],
    "about": "m",
}


def failed(**more: Any) -> dict[str, Any]:
    return {
        "id": "m-1", "model": "m", "state": "failed", "error": "the engine ended (exit code 1)",
        "hint": None, "last_lines": ["Traceback (most recent call last):", "\x1b[2Jboom"], **more,
    }  # fmt: skip


def why(status: dict[str, Any]) -> StartFailedError:
    with pytest.raises(StartFailedError) as refused:
        checked(status)
    return refused.value


def test_what_was_found_is_shown_instead_of_the_logs_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["sparkwell", "up", "m"])
    error = why(failed(findings=[FOUND]))
    _complain(error)
    assert capsys.readouterr().err.splitlines() == [
        "Error: m did not start: the engine ended (exit code 1).",
        "",
        "✗ No memory remains for the KV cache (kv-cache-none)",
        "    · m-1, line 4: ValueError: No available memory for the cache blocks.",
        "    Weights take all of it.",
        "    → See the plan.",
        "        sparkwell plan m",
        "",
        "The whole log: `sparkwell logs m`.",
    ]
    assert [each.id for each in error.findings] == ["kv-cache-none"]


def test_what_the_finding_quotes_is_not_said_twice() -> None:
    raw = "it ended by itself (exit code 1): ValueError: No available memory for the cache blocks."
    found = why(failed(error=raw, findings=[FOUND]))
    assert found.message == "m did not start: it ended by itself (exit code 1)."
    assert "ValueError" in why(failed(error=raw)).message


def test_no_color_is_kept_to_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert _colours() is None  # as the terminal is
    monkeypatch.setenv("NO_COLOR", "1")
    assert _colours() is False


@pytest.mark.parametrize(
    "findings", [[], None, "odd", [7, None], [{**FOUND, "severity": "info"}], [{"id": "x"}]]
)
def test_where_nothing_was_found_the_logs_end_is_shown(findings: object) -> None:
    """A daemon of an older version has no findings; a newer one's may be of another form."""
    error = why(failed(findings=findings))
    assert "The end of its log:\n  Traceback (most recent call last):\n  boom" in error.message
    assert error.findings == ()


def test_a_status_without_findings_is_no_trouble() -> None:
    assert "boom" in why(failed()).message


def test_the_hint_stays_beside_what_was_found() -> None:
    error = why(failed(findings=[FOUND], hint="It is not started again by itself."))
    assert (error.hint or "").splitlines() == [
        "It is not started again by itself.",
        "The whole log: `sparkwell logs m`.",
    ]


def test_the_error_as_json_has_the_findings(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["sparkwell", "up", "m", "--json"])
    _complain(why(failed(findings=[FOUND])))
    told = json.loads(capsys.readouterr().err)["error"]
    assert told["findings"] == [FOUND]
    assert told["code"] == "environment"
    assert told["message"] == "m did not start: the engine ended (exit code 1)."

"""What the process driver promises beyond the contract: folders, shims, sockets, kill -9."""

import asyncio
import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import sparkwell
from sparkwell.core.errors import ConflictError, EnvironmentFault, UsageError
from sparkwell.core.launch import Running
from sparkwell.drivers.process import ProcessDriver, client

from .conftest import DEADLINE_S, Box, box_of, eventually, live_processes, pid_of
from .kinds import PROCESS

DAEMON = Path(__file__).parent / "programs" / "daemon.py"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "i"


@pytest.fixture
async def box(root: Path, short_root: Path) -> AsyncIterator[Box]:
    async with box_of(PROCESS, root, short_root) as box:
        yield box


def record(root: Path, instance: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((root / instance / name).read_text())
    return found


def shim_pid(root: Path, running: Running) -> int:
    return int(record(root, running.spec.instance, "shim.json")["shim_pid"])


async def kill_shim(root: Path, running: Running) -> None:
    pid = shim_pid(root, running)
    os.kill(pid, signal.SIGKILL)
    await eventually(lambda: not is_live(pid))


def resident_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


def is_live(pid: int) -> bool:
    return pid in live_processes()


async def talk(root: Path, instance: str, *lines: bytes) -> list[dict[str, Any]]:
    """Send raw lines over one connection; returns as many answers."""
    reader, writer = await asyncio.open_unix_connection(str(root / instance / "shim.sock"))
    writer.write(b"".join(lines))
    async with asyncio.timeout(DEADLINE_S):
        answers = [json.loads(await reader.readline()) for _ in lines]
    writer.close()
    await writer.wait_closed()
    return answers


# The shim is killed.

HIDDEN = ("--children", "2", "--own-session", "--double-fork", "--quiet-children")


async def all_listed(box: Box, root: Path, running: Running) -> None:
    """Wait until the shim has written down every process of the tree."""
    tree = set(box.tree(running.spec.instance))

    def listed() -> bool:
        found = record(root, running.spec.instance, "descendants.json")["descendants"]
        return tree <= {pid for pid, _ in found}

    await eventually(listed)


STUBBORN = ("--ignore-sigterm", "--children-ignore-sigterm")


@pytest.mark.parametrize(("ask", "flags"), [("running", STUBBORN), ("stop", ()), ("wait", ())])
async def test_nothing_outlives_a_killed_shim(
    box: Box, root: Path, ask: str, flags: tuple[str, ...]
) -> None:
    running = await box.start(*HIDDEN, *flags)
    instance = running.spec.instance
    await all_listed(box, root, running)
    await kill_shim(root, running)
    if ask == "running":
        assert await box.make().running() == []
    else:
        await getattr(box.make(), ask)(instance)
    assert box.tree(instance) == []
    ended = await box.driver.wait(instance)
    assert (ended.code, ended.signal, ended.requested) == (None, None, ask == "stop")
    assert ended.reason == "the end was not seen"
    assert ended.last_lines == ("ready",)


async def test_what_was_forked_after_the_last_look_is_found_by_its_output(
    box: Box, root: Path
) -> None:
    running = await box.start(
        "--children", "3", "--own-session", "--double-fork", "--children-ignore-sigterm"
    )
    await kill_shim(root, running)
    (root / running.spec.instance / "descendants.json").unlink()
    await box.driver.stop(running.spec.instance)
    assert box.tree(running.spec.instance) == []


async def test_a_waiting_driver_notices_that_the_shim_is_killed(box: Box, root: Path) -> None:
    running = await box.start(*HIDDEN)
    await all_listed(box, root, running)
    waiting = asyncio.create_task(box.driver.wait(running.spec.instance))
    following = asyncio.create_task(box.lines(running.spec.instance))
    await asyncio.sleep(0)
    await kill_shim(root, running)
    assert (await waiting).code is None
    assert await following == ["ready"]
    assert box.tree(running.spec.instance) == []


async def test_several_drivers_settle_a_killed_shim_together(box: Box, root: Path) -> None:
    running = await box.start(*HIDDEN)
    await all_listed(box, root, running)
    await kill_shim(root, running)
    drivers = [box.make() for _ in range(5)]
    assert await asyncio.gather(*(driver.running() for driver in drivers)) == [[]] * 5
    assert box.tree(running.spec.instance) == []


@pytest.mark.parametrize("change", ["ticks", "boot"])
async def test_a_process_that_got_the_pid_later_is_left_alone(
    box: Box, root: Path, change: str
) -> None:
    running = await box.start()
    await kill_shim(root, running)
    await eventually(lambda: not box.tree(running.spec.instance))  # by its last wish
    innocent = await asyncio.create_subprocess_exec("sleep", "60", start_new_session=True)
    folder = root / running.spec.instance
    for name in ("descendants.json", "shim.json"):
        (folder / name).write_text(json.dumps(claim(folder / name, innocent.pid, change)))
    assert (await box.driver.stop(running.spec.instance)).code is None
    assert is_live(innocent.pid)
    innocent.kill()
    await innocent.wait()


def claim(path: Path, pid: int, change: str) -> dict[str, Any]:
    """Rewrite a record so that it names ``pid``, with one thing wrong about it."""
    ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    named = ticks - 1 if change == "ticks" else ticks
    found: dict[str, Any] = json.loads(path.read_text())
    found |= {"pid": pid, "start_ticks": named, "descendants": [[pid, named]]}
    return found | ({"boot_id": "another"} if change == "boot" else {})


async def test_a_shim_that_does_not_answer_is_killed_at_a_stop(
    box: Box, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "ANSWER_S", 0.3)
    running = await box.start(*HIDDEN)
    await all_listed(box, root, running)
    os.kill(shim_pid(root, running), signal.SIGSTOP)
    assert await box.driver.running() == [running]
    await box.driver.stop(running.spec.instance)
    assert box.tree(running.spec.instance) == []
    assert not is_live(shim_pid(root, running))


# The daemon is killed.


def daemon(root: Path, instance: str, argv: tuple[str, ...]) -> subprocess.Popen[bytes]:
    source = str(Path(sparkwell.__file__).parent.parent)
    return subprocess.Popen(
        [sys.executable, str(DAEMON), str(root), instance, *argv],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": source},
    )


async def test_an_engine_outlives_its_daemon(box: Box, root: Path) -> None:
    spec = box.spec("--children", "2", "--exit-on-sigterm", "4")
    with daemon(root, spec.instance, spec.argv) as process:
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in range(2)] == [b"starting\n", b"started\n"]
        process.kill()
    await box.line(spec.instance, "ready")
    (running,) = await box.driver.running()
    assert running.spec.instance == spec.instance
    assert running.pid in box.tree(spec.instance)
    assert (await box.driver.stop(spec.instance)).code == 4
    assert box.tree(spec.instance) == []


@pytest.mark.parametrize("delay_ms", [0, 2, 5, 10, 20, 30, 40, 60])
async def test_a_daemon_killed_at_any_moment_leaves_nothing_unknown(
    box: Box, root: Path, delay_ms: int
) -> None:
    spec = box.spec("--children", "1")
    with daemon(root, spec.instance, spec.argv) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"starting\n"
        await asyncio.sleep(delay_ms / 1000)
        process.kill()
    found = [running.spec.instance for running in await box.driver.running()]
    if found:
        await box.line(spec.instance, "ready")
        await box.driver.stop(spec.instance)
    assert box.tree(spec.instance) == []


async def test_a_cancelled_start_leaves_nothing(box: Box) -> None:
    for turns in (1, 2, 5, 20):
        spec = box.spec("--children", "1")
        starting = asyncio.create_task(box.driver.start(spec))
        for _ in range(turns):
            await asyncio.sleep(0)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        assert box.tree(spec.instance) == []
    assert await box.driver.running() == []


# The control socket.


async def test_wrong_requests_are_answered_and_change_nothing(box: Box, root: Path) -> None:
    running = await box.start()
    wrong = [
        b"\n",
        b"{\n",
        b"[]\n",
        b"\xff\xfe\n",
        b'{"op": "dance"}\n',
        b'{"op": ["stop"]}\n',
        b'{"op": "stop", "grace_s": "soon"}\n',
        b'{"op": "stop", "grace_s": NaN}\n',
        b'{"op": "stop", "grace_s": -1}\n',
        b'{"op": "stop", "grace_s": true}\n',
        b"[" * 4000 + b"\n",
    ]
    answers = await talk(root, running.spec.instance, *wrong, b'{"op": "status"}\n')
    assert [answer["ok"] for answer in answers] == [False] * len(wrong) + [True]
    assert answers[-1]["state"] == "running"
    assert answers[-1]["descendants"] == 1


async def test_an_endless_request_loses_its_connection(box: Box, root: Path) -> None:
    running = await box.start()
    socket_path = str(root / running.spec.instance / "shim.sock")
    reader, writer = await asyncio.open_unix_connection(socket_path)
    writer.write(b"x" * 8000)
    answer = json.loads(await reader.readline())
    assert "at most 4096 bytes" in answer["error"]
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
    assert await box.driver.running() == [running]


async def test_two_hundred_clients_at_a_time(box: Box, root: Path) -> None:
    running = await box.start()
    one = talk(root, running.spec.instance, b'{"op": "status"}\n')
    more = (talk(root, running.spec.instance, b'{"op": "status"}\n') for _ in range(199))
    answers = await asyncio.gather(one, *more)
    assert [answer["pid"] for (answer,) in answers] == [running.pid] * 200


async def test_more_clients_than_are_served_wait_for_their_turn(box: Box, root: Path) -> None:
    running = await box.start()
    path = str(root / running.spec.instance / "shim.sock")
    idle = [await asyncio.open_unix_connection(path) for _ in range(450)]
    asking = asyncio.create_task(talk(root, running.spec.instance, b'{"op": "status"}\n'))
    for _, writer in idle:
        writer.close()
        await writer.wait_closed()
    assert (await asking)[0]["ok"]


async def test_a_client_that_goes_away_is_no_problem(box: Box, root: Path) -> None:
    running = await box.start()
    path = str(root / running.spec.instance / "shim.sock")
    for _ in range(20):
        _, writer = await asyncio.open_unix_connection(path)
        writer.write(b'{"op": "wait"}\n' + b'{"op": "status"}\n' * 50)
        writer.transport.abort()
    record_ = await box.driver.stop(running.spec.instance)
    assert record_.requested


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_to_the_shim_is_a_stop(box: Box, root: Path, number: int) -> None:
    running = await box.start(*HIDDEN, "--exit-on-sigterm", "6")
    os.kill(shim_pid(root, running), signal.SIGHUP)  # ignored
    os.kill(shim_pid(root, running), number)
    ended = await box.driver.wait(running.spec.instance)
    assert (ended.code, ended.requested) == (6, True)
    assert box.tree(running.spec.instance) == []


# The folder.


async def test_the_shim_is_small_and_ends_with_its_engine(box: Box, root: Path) -> None:
    running = await box.start()
    pid = shim_pid(root, running)
    assert resident_kib(pid) < 16 * 1024
    assert os.getsid(pid) != os.getsid(0) != os.getsid(pid_of(running)) != os.getsid(pid)
    await box.driver.stop(running.spec.instance)
    await eventually(lambda: not is_live(pid))
    names = {path.name for path in (root / running.spec.instance).iterdir()}
    assert names == {
        "launch.json", "shim.json", "shim.lock", "descendants.json", "engine.log", "exit.json"
    }  # fmt: skip


async def test_what_is_in_the_folder_is_for_its_owner_alone(box: Box, root: Path) -> None:
    running = await box.start()
    folder = root / running.spec.instance
    assert folder.stat().st_mode & 0o777 == 0o700
    modes = {path.name: path.stat().st_mode & 0o077 for path in folder.iterdir()}
    assert modes == dict.fromkeys(modes, 0)


async def test_exit_json_says_how_many_had_to_be_killed(box: Box, root: Path) -> None:
    running = await box.start("--children", "3", "--children-ignore-sigterm", "--own-session")
    await box.driver.stop(running.spec.instance, grace_s=0)
    found = record(root, running.spec.instance, "exit.json")
    assert found["descendants_killed"] == 3
    assert found["dropped_bytes"] == 0


async def test_a_root_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    driver = ProcessDriver(tmp_path / "file" / "i")
    assert await driver.running() == []
    with pytest.raises(EnvironmentFault, match="file/i"):
        await driver.start(dataclasses.replace(Box(lambda: driver).spec()))


async def test_a_program_that_is_not_executable_is_named(box: Box, tmp_path: Path) -> None:
    program = tmp_path / "vllm"
    program.write_text("no program")
    spec = dataclasses.replace(box.spec(), argv=(str(program),))
    with pytest.raises(EnvironmentFault, match=r"vllm: Permission denied"):
        await box.driver.start(spec)
    program.chmod(0o700)
    spec = dataclasses.replace(box.spec(), argv=(str(program),))
    with pytest.raises(EnvironmentFault, match=r"vllm: Exec format error"):
        await box.driver.start(spec)


async def test_a_shim_that_fails_says_why(box: Box, root: Path) -> None:
    spec = box.spec()
    (root / spec.instance / "shim.json").mkdir(parents=True)
    with pytest.raises(EnvironmentFault, match="IsADirectoryError"):
        await box.driver.start(spec)
    assert box.tree(spec.instance) == []
    assert await box.driver.running() == []
    assert (await box.driver.wait(spec.instance)).code is None


@pytest.mark.parametrize("length", [60, 110, 200])
async def test_a_deep_root_gets_short_sockets(
    tmp_path: Path, short_root: Path, length: int
) -> None:
    root = tmp_path / ("d" * length)
    box = Box(lambda: ProcessDriver(root, short_root=short_root))
    spec = box.spec("--children", "1")
    uds = Path(str(box.driver.endpoint(spec.instance).uds))
    argv = (*spec.argv, "--serve", str(uds))
    running = await box.driver.start(dataclasses.replace(spec, argv=argv))
    await eventually(uds.exists)
    assert uds.is_relative_to(short_root)
    assert uds.samefile(root / spec.instance / "sockets" / "engine.sock")
    assert await box.make().running() == [running]
    await box.driver.stop(spec.instance)
    assert box.tree(spec.instance) == []
    assert box.driver.prune(0) == [spec.instance]
    assert not uds.parent.exists()


async def test_a_strangers_folder_is_not_used_for_sockets(tmp_path: Path, short_root: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (short_root / f"sparkwell-{os.getuid()}").symlink_to(tmp_path / "elsewhere")
    driver = ProcessDriver(tmp_path / ("d" * 100), short_root=short_root)
    with pytest.raises(EnvironmentFault, match="belongs to this user alone"):
        await driver.start(Box(lambda: driver).spec())


async def test_pruning_keeps_the_latest_of_each_model(tmp_path: Path) -> None:
    driver = ProcessDriver(tmp_path / "i")
    box = Box(lambda: driver)
    ended = []
    for model in ("a", "a", "a", "b"):
        running = await box.start("--exit-after", "0", model=model, ready=False)
        await driver.wait(running.spec.instance)
        ended.append(running.spec.instance)
    live = await box.start(model="a")
    assert [spec.instance for spec, _ in driver.ended()] == ended[::-1]
    assert sorted(driver.prune(1)) == ended[:2]
    assert [spec.instance for spec, _ in driver.ended()] == [ended[3], ended[2]]
    assert await driver.running() == [live]
    with pytest.raises(UsageError):
        await driver.wait(ended[0])
    await driver.stop(live.spec.instance)


async def test_a_log_is_followed_through_rotation(tmp_path: Path) -> None:
    driver = ProcessDriver(tmp_path / "i", log_bytes=5000, log_files=90)
    box = Box(lambda: driver)
    running = await box.start("--spam-lines", "4000", "--exit-after", "0.3", ready=False)
    lines = await box.lines(running.spec.instance)
    assert [int(line[:9]) for line in lines[1:]] == list(range(4000))
    logs = list((tmp_path / "i" / running.spec.instance).glob("engine.log*"))
    assert len(logs) > 80
    assert all(log.stat().st_size <= 5000 for log in logs)
    assert all(log.read_bytes().endswith(b"\n") for log in logs)


async def test_two_starts_of_one_id_at_once_start_it_once(box: Box) -> None:
    spec = box.spec()
    results = await asyncio.gather(
        *(box.make().start(spec) for _ in range(3)), return_exceptions=True
    )
    assert sorted(type(result).__name__ for result in results) == [
        "ConflictError",
        "ConflictError",
        "Running",
    ]
    assert any(isinstance(result, ConflictError) for result in results)
    assert len(box.tree(spec.instance)) == 1

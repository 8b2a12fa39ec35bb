"""What every driver promises: nothing here knows how it runs an engine."""

import asyncio
import dataclasses
import os
import signal
import socket
import time

import pytest

from sparkwell.core.errors import ConflictError, EnvironmentFault, UsageError
from sparkwell.core.launch import Endpoint

from .conftest import Box, eventually, pid_of


async def test_starts_and_says_who_runs(box: Box) -> None:
    before = time.time()
    running = await box.start()
    assert box.tree(running.spec.instance) == [pid_of(running)]
    assert before - 1 <= running.started_at <= time.time()
    assert await box.driver.running() == [running]


async def test_a_stop_is_gentle_first(box: Box) -> None:
    running = await box.start("--exit-on-sigterm", "7")
    record = await box.driver.stop(running.spec.instance)
    assert (record.code, record.signal, record.requested) == (7, None, True)
    assert record.last_lines[-1] == "ready"
    assert await box.driver.running() == []


async def test_a_stop_is_forced_after_the_grace(box: Box) -> None:
    running = await box.start("--ignore-sigterm", "--children", "2", "--children-ignore-sigterm")
    began = time.monotonic()
    record = await box.driver.stop(running.spec.instance, grace_s=0.3)
    assert time.monotonic() - began >= 0.3
    assert (record.signal, record.requested) == (signal.SIGKILL, True)
    assert box.tree(running.spec.instance) == []


async def test_a_second_stop_can_be_more_impatient(box: Box) -> None:
    running = await box.start("--ignore-sigterm")
    patient = asyncio.create_task(box.driver.stop(running.spec.instance, grace_s=600))
    hasty = asyncio.create_task(box.driver.stop(running.spec.instance, grace_s=0))
    assert await patient == await hasty
    assert box.tree(running.spec.instance) == []


async def test_a_grace_that_makes_no_sense_is_refused(box: Box) -> None:
    running = await box.start()
    for wrong in (-1.0, float("nan"), 1e9):
        with pytest.raises(UsageError, match="grace_s"):
            await box.driver.stop(running.spec.instance, grace_s=wrong)
    assert await box.driver.running() == [running]


async def test_stopping_what_has_ended_gives_its_record(box: Box) -> None:
    running = await box.start("--exit-after", "0", "--code", "3")
    record = await box.driver.wait(running.spec.instance)
    assert (record.code, record.requested) == (3, False)
    assert await box.driver.stop(running.spec.instance) == record
    assert await box.driver.wait(running.spec.instance) == record


async def test_many_wait_at_once(box: Box) -> None:
    running = await box.start()
    waiting = [asyncio.create_task(box.driver.wait(running.spec.instance)) for _ in range(20)]
    record = await box.driver.stop(running.spec.instance)
    assert await asyncio.gather(*waiting) == [record] * 20


async def test_a_crash_is_told_from_a_stop(box: Box) -> None:
    running = await box.start()
    os.kill(pid_of(running), signal.SIGSEGV)
    record = await box.driver.wait(running.spec.instance)
    assert (record.code, record.signal, record.requested) == (None, signal.SIGSEGV, False)
    assert record.reason == "killed by signal 11"


HIDING = [
    [],
    ["--own-session"],
    ["--double-fork"],
    ["--own-session", "--double-fork", "--quiet-children", "--children-ignore-sigterm"],
    ["--own-session", "--children-refork"],
]


@pytest.mark.parametrize("flags", HIDING, ids=" ".join)
async def test_no_descendant_survives_a_stop(box: Box, flags: list[str]) -> None:
    running = await box.start("--children", "3", *flags)
    assert len(box.tree(running.spec.instance)) == 4
    await box.driver.stop(running.spec.instance, grace_s=0.2)
    assert box.tree(running.spec.instance) == []


@pytest.mark.parametrize("flags", HIDING, ids=" ".join)
async def test_no_descendant_survives_the_main_process(box: Box, flags: list[str]) -> None:
    running = await box.start("--children", "3", *flags)
    os.kill(pid_of(running), signal.SIGKILL)
    record = await box.driver.wait(running.spec.instance)
    assert (record.signal, record.requested) == (signal.SIGKILL, False)
    assert box.tree(running.spec.instance) == []


async def test_a_second_driver_adopts_what_runs(box: Box) -> None:
    running = await box.start("--exit-on-sigterm", "5")
    other = box.make()
    assert await other.running() == [running]
    record = await other.stop(running.spec.instance)
    assert record.code == 5
    assert await box.driver.wait(running.spec.instance) == record


async def test_the_spec_comes_back_unchanged(box: Box) -> None:
    spec = box.spec("--children", "1")
    labels = {"recipe": "qwen3-8b-fp8", "note": "é\n\"'"}
    spec = dataclasses.replace(spec, labels=labels)
    await box.driver.start(spec)
    assert [one.spec for one in await box.make().running()] == [spec]


async def test_an_instance_id_names_one_run_for_ever(box: Box) -> None:
    running = await box.start()
    with pytest.raises(ConflictError):
        await box.driver.start(running.spec)
    assert await box.driver.running() == [running]
    await box.driver.stop(running.spec.instance)
    with pytest.raises(ConflictError):
        await box.driver.start(running.spec)


@pytest.mark.parametrize("instance", ["", "..", "a/b", ".hidden", "UPPER", "a\n", "x" * 200])
async def test_an_instance_id_is_a_plain_name(box: Box, instance: str) -> None:
    with pytest.raises(UsageError):
        box.driver.endpoint(instance)
    with pytest.raises(UsageError):
        await box.driver.stop(instance)


async def test_nobody_can_wait_for_what_never_was(box: Box) -> None:
    for ask in (box.driver.wait, box.driver.stop):
        with pytest.raises(UsageError, match="no-such-instance"):
            await ask("no-such-instance")
    with pytest.raises(UsageError):
        box.driver.follow("no-such-instance")


async def test_a_missing_program_is_named(box: Box) -> None:
    spec = box.spec()
    spec = dataclasses.replace(spec, argv=("/no/such/vllm", "serve"))
    with pytest.raises(EnvironmentFault, match=r"/no/such/vllm: No such file or directory"):
        await box.driver.start(spec)
    assert await box.driver.running() == []


async def test_an_engine_gets_its_variables_and_no_others(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"SECRET_KEY": "s", "CUDA_VISIBLE_DEVICES": "3", "https_proxy": "p"}.items():
        monkeypatch.setenv(name, value)
    spec = box.spec("--print-env", "--exit-after", "0")
    await box.driver.start(dataclasses.replace(spec, env={"VLLM_LOGGING_LEVEL": "DEBUG"}))
    lines = await box.lines(spec.instance)
    assert "VLLM_LOGGING_LEVEL=DEBUG" in lines
    inherited = {"CUDA_VISIBLE_DEVICES=3", "https_proxy=p"} & set(lines)
    assert len(inherited) == (2 if box.kind.inherits else 0)
    assert not [line for line in lines if line.startswith(("SECRET_KEY", "VIRTUAL_ENV", "PYTEST"))]


async def test_the_endpoint_is_where_the_engine_serves(box: Box) -> None:
    spec = box.spec()
    assert spec.endpoint == box.make().endpoint(spec.instance)
    argv = (*spec.argv, *box.kind.serve(spec.endpoint))
    await box.driver.start(dataclasses.replace(spec, argv=argv))
    await eventually(lambda: ask(spec.endpoint) == b"ok")


def ask(endpoint: Endpoint) -> bytes:
    family = socket.AF_UNIX if endpoint.uds else socket.AF_INET
    try:
        with socket.socket(family) as client:
            client.connect(endpoint.uds or ("127.0.0.1", endpoint.port))
            return client.recv(10)
    except (FileNotFoundError, ConnectionError):  # not bound, not listening yet
        return b""


async def test_output_is_followed_from_the_beginning(box: Box) -> None:
    running = await box.start("--spam-lines", "500", "--exit-after", "0")
    lines = await box.lines(running.spec.instance)
    assert lines[0] == "ready"
    assert [int(line[:9]) for line in lines[1:]] == list(range(500))


async def test_output_is_followed_while_it_comes(box: Box) -> None:
    running = await box.start()
    lines = box.driver.follow(running.spec.instance, from_start=False)
    first = asyncio.ensure_future(anext(lines, "(the end)"))
    await box.driver.stop(running.spec.instance)
    assert await first == "(the end)"


async def test_progress_bars_and_odd_bytes_are_lines(box: Box) -> None:
    odd = b"caf\xc3\xa9\nbad \xff\xfe\nno end".hex()
    running = await box.start("--progress-bars", "--say-hex", odd, "--exit-after", "0")
    lines = await box.lines(running.spec.instance)
    assert lines[:4] == ["ready", "café", "bad \ufffd\ufffd", "no end"]
    assert lines[4:6] == ["Loading: 0%", "Loading: 10%"]
    assert lines[-1] == "Loading: 100%"


async def test_fifty_megabytes_of_output_hold_nothing_up(box: Box) -> None:
    running = await box.start("--spam-lines", "500000", "--exit-after", "0", ready=False)
    began = time.monotonic()
    count = 0
    async for _ in box.driver.follow(running.spec.instance):
        count += 1
    record = await box.driver.wait(running.spec.instance)
    assert count == 500_001
    assert record.last_lines[-1].startswith("000499999 ")
    assert time.monotonic() - began < box.kind.fifty_megabytes_s


async def test_what_ended_at_once_was_started_all_the_same(box: Box) -> None:
    spec = dataclasses.replace(box.spec(), argv=(box.kind.python, "-S", "-c", ""))
    running = await box.driver.start(spec)
    assert running.pid is None or running.pid > 1
    assert running.pid is not None or not box.kind.sees_ended
    record = await box.driver.wait(spec.instance)
    assert (record.code, record.signal, record.last_lines) == (0, None, ())

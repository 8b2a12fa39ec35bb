"""The deciding parts of the compose driver: values in, values out."""

import dataclasses
import errno
import json
import os
import socket
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sparkwell.core.errors import ConflictError, EnvironmentFault, UsageError
from sparkwell.core.launch import Container, Endpoint, LaunchSpec, Mount
from sparkwell.drivers.compose import ComposeDriver
from sparkwell.drivers.compose.api import Engine, _is_exact
from sparkwell.drivers.compose.command import docker_environment, up_command
from sparkwell.drivers.compose.faults import DockerUnreachableError, explain, unreachable
from sparkwell.drivers.compose.folder import ContainerFolder
from sparkwell.drivers.compose.lifetime import check_grace
from sparkwell.drivers.compose.ports import COUNT, choose, is_free
from sparkwell.drivers.compose.rendering import render
from sparkwell.drivers.compose.saving import save_log
from sparkwell.drivers.compose.seen import Seen, exit_of, read_seen, record_of
from sparkwell.drivers.process.records import spec_from_json, spec_to_json

CONTAINER = Container(
    image="example/vllm:25.09",
    name="vllm-qwen3-8b-fp8",
    port=8000,
    entrypoint=("python", "-m"),
    mounts=(Mount("/opt/hf", "/opt/hf"), Mount("cache", "/cache", read_only=True)),
    gpus=True,
    ipc="host",
    ulimits={"memlock": -1},
    read_only=True,
    tmpfs=("/tmp",),
)
SPEC = LaunchSpec(
    instance="qwen3-8b-fp8.1",
    model="qwen3-8b-fp8",
    engine="vllm",
    engine_version="0.10.1.1",
    argv=("vllm", "serve", "Qwen/Qwen3-8B-FP8", "--chat-template", "$HOME {{x}}"),
    endpoint=Endpoint(port=18001),
    env={"HF_HUB_OFFLINE": "1", "SECRET": "s3cret$"},
    labels={"recipe": "r"},
    served_model="q",
    container=CONTAINER,
)


# Specs and files.


def test_a_spec_with_a_container_survives_json() -> None:
    assert spec_from_json(json.loads(json.dumps(spec_to_json(SPEC)))) == SPEC


def test_a_spec_of_an_older_version_has_no_container() -> None:
    old = spec_to_json(SPEC)
    del old["container"], old["served_model"]
    assert spec_from_json(old) == dataclasses.replace(SPEC, container=None, served_model=None)


def test_the_file_says_all_that_is_to_run() -> None:
    document = yaml.safe_load(render(SPEC, Path("/state/containers"), "sparkwell"))
    service = document["services"]["vllm-qwen3-8b-fp8"]
    assert document["name"] == "sparkwell"
    assert service["ports"] == ["127.0.0.1:18001:8000"]
    assert (service["restart"], service["init"]) == ("no", True)
    assert service["command"][-1] == "$$HOME {{x}}"
    assert service["labels"] == {
        "ai.sparkwell.instance": "qwen3-8b-fp8.1",
        "ai.sparkwell.model": "qwen3-8b-fp8",
        "ai.sparkwell.home": "/state/containers",
    }


def test_progress_bars_are_lines_unless_the_spec_has_a_wish() -> None:
    def variables(spec: LaunchSpec) -> dict[str, str]:
        (service,) = yaml.safe_load(render(spec, Path("/s"), "p"))["services"].values()
        found: dict[str, str] = service["environment"]
        return found

    assert variables(SPEC) == {
        "TQDM_BAR_FORMAT": "{l_bar}{bar}{r_bar}\n", "HF_HUB_OFFLINE": "1", "SECRET": "s3cret$$"
    }  # fmt: skip
    own = dataclasses.replace(SPEC, env={"TQDM_BAR_FORMAT": "x"})
    assert variables(own) == {"TQDM_BAR_FORMAT": "x"}


def test_a_choice_of_gpus_goes_into_the_container(tmp_path: Path) -> None:
    """It is given all of them, so the same numbers name the same ones."""
    driver = ComposeDriver(tmp_path, environ={"CUDA_VISIBLE_DEVICES": "2,3"})
    (service,) = yaml.safe_load(driver.render(SPEC))["services"].values()
    chosen = service["environment"]
    assert chosen["CUDA_VISIBLE_DEVICES"] == "2,3"
    assert chosen["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"


def test_a_process_is_no_container() -> None:
    with pytest.raises(UsageError, match="container"):
        render(dataclasses.replace(SPEC, container=None), Path("/s"), "p")


def test_up_touches_one_service_and_fetches_nothing() -> None:
    command = up_command(Path("/s/compose.yaml"), "sparkwell", "vllm-a")
    assert command[:6] == ["docker", "compose", "-p", "sparkwell", "-f", "/s/compose.yaml"]
    assert {"--no-recreate", "--no-build", "--no-deps"} <= set(command)
    assert command[command.index("--pull") + 1] == "never"
    assert command[-1] == "vllm-a"


def test_docker_gets_no_token() -> None:
    environ = {"HF_TOKEN": "hf_x", "DOCKER_HOST": "unix:///d", "PATH": "/bin", "COMPOSE_FILE": "x"}
    assert docker_environment(environ) == {
        "PATH": "/bin", "DOCKER_HOST": "unix:///d", "COMPOSE_IGNORE_ORPHANS": "1"
    }  # fmt: skip


def test_what_is_in_the_folder_is_for_its_owner_alone(tmp_path: Path) -> None:
    folder = ContainerFolder(tmp_path / "i" / "x")
    with folder.claimed(SPEC, "name: x\n"):
        folder.note_stop()
    modes = {path.name: path.stat().st_mode & 0o777 for path in folder.path.iterdir()}
    assert set(modes.values()) == {0o600}
    assert folder.path.stat().st_mode & 0o777 == 0o700


def test_a_folder_is_claimed_once(tmp_path: Path) -> None:
    folder = ContainerFolder(tmp_path / "x")
    with folder.claimed(SPEC, ""), pytest.raises(ConflictError), folder.claimed(SPEC, ""):
        pass
    with pytest.raises(ConflictError), folder.claimed(SPEC, ""):
        pass


def test_the_first_wish_for_the_end_counts(tmp_path: Path) -> None:
    folder = ContainerFolder(tmp_path / "x")
    with folder.claimed(SPEC, ""):
        folder.note_stop()
    first = folder.asked_at
    folder.note_stop()
    assert (folder.asked_at, folder.is_abandoned) == (first, False)
    folder.note_stop(abandoned=True)
    assert (folder.asked_at, folder.is_abandoned) == (first, True)


class OneLog:
    """Docker with one log of one container."""

    async def log(self, _identifier: str, **_wish: object) -> AsyncGenerator[bytes, None]:
        yield b"\1\0\0\0\0\0\0\2a\n"


async def test_the_end_by_lack_of_memory_is_noted_in_the_log(tmp_path: Path) -> None:
    folder = ContainerFolder(tmp_path)
    (tmp_path / "engine.log.1").write_text("of an attempt that was broken off")
    length = await save_log(cast("Engine", OneLog()), seen(OOMKilled=True), folder)
    assert folder.last_lines() == (
        "a", "[sparkwell: the kernel ended a process of this container: out of memory]"
    )  # fmt: skip
    assert length == folder.log.stat().st_size
    assert await save_log(cast("Engine", OneLog()), None, folder) == 0
    assert not folder.log.exists()


@pytest.mark.parametrize(
    ("image", "exact"),
    [("a", False), ("a:1", True), ("h:5000/a", False), ("h:5000/a:1", True), ("a@sha256:b", True)],
)
def test_an_image_without_a_tag_is_the_latest(image: str, exact: bool) -> None:
    assert _is_exact(image) == exact


def test_a_disk_that_refuses_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    folder = ContainerFolder(tmp_path / "file" / "x")
    with (
        pytest.raises(EnvironmentFault, match="file/x cannot be written"),
        folder.claimed(SPEC, ""),
    ):
        pass


# Ports.


@given(st.text(min_size=1), st.sets(st.integers(18000, 18999), max_size=900))
def test_a_port_is_the_same_for_an_instance_and_never_a_taken_one(
    instance: str, taken: set[int]
) -> None:
    port = choose(instance, 18000, taken, lambda _port: True)
    assert port == choose(instance, 18000, taken, lambda _port: True)
    assert 18000 <= port < 18000 + COUNT
    assert port not in taken


def test_a_port_that_cannot_be_bound_is_passed_over() -> None:
    first = choose("a", 18000, (), lambda _port: True)
    second = choose("a", 18000, (), lambda port: port != first)
    assert second == (first + 1 if first < 18999 else 18000)


def test_no_port_left_is_said() -> None:
    with pytest.raises(EnvironmentFault, match="18000 to 18999"):
        choose("a", 18000, (), lambda _port: False)


def test_a_port_is_free_when_it_can_be_bound() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        server.listen()
        assert not is_free(port)
    assert is_free(port)


# What Docker says of a container.


def inspected(**state: Any) -> dict[str, Any]:
    return {
        "Id": "abc",
        "Name": "/vllm-a",
        "Config": {"Image": "i", "Labels": {"ai.sparkwell.instance": "x"}, "StopSignal": ""},
        "State": {
            "Status": "exited",
            "Pid": 0,
            "ExitCode": 0,
            "OOMKilled": False,
            "StartedAt": "2026-11-21T08:08:51.55440263Z",
            "FinishedAt": "2026-11-21T08:08:54Z",
        }
        | state,
    }


def seen(**state: Any) -> Seen:
    return read_seen(inspected(**state))


def test_a_container_is_read_from_what_inspect_shows() -> None:
    found = seen(ExitCode=3)
    assert (found.name, found.instance, found.stop_signal) == ("vllm-a", "x", "SIGTERM")
    assert found.started_at == pytest.approx(1795248531.55440263, abs=1e-6)
    assert found.finished_at == 1795248534.0
    assert not found.is_alive
    assert seen(Status="paused").is_alive


@pytest.mark.parametrize(
    ("code", "expected"),
    [(0, (0, None)), (1, (1, None)), (128, (128, None)), (137, (None, 9)), (139, (None, 11)),
     (143, (None, 15)), (192, (None, 64)), (193, (193, None)), (255, (255, None))],
)  # fmt: skip
def test_a_code_above_128_is_a_signal(code: int, expected: tuple[int | None, int | None]) -> None:
    assert exit_of(seen(ExitCode=code)) == expected


def test_nobody_saw_the_end_of_what_is_gone_or_never_began() -> None:
    assert exit_of(None) == (None, None)
    assert exit_of(seen(StartedAt="0001-01-01T00:00:00Z")) == (None, None)


def test_an_end_before_the_wish_was_its_own() -> None:
    ended_at = 1795248534.0
    for asked_at, requested in ((None, False), (ended_at - 1, True), (ended_at + 1, False)):
        record = record_of(seen(), asked_at=asked_at, last_lines=("a",), now=5.0)
        assert (record.requested, record.ended_at) == (requested, ended_at)
    assert record_of(None, asked_at=1.0, last_lines=(), now=5.0).ended_at == 5.0


@pytest.mark.parametrize("grace_s", [-1.0, float("nan"), float("inf"), 1e9])
def test_a_grace_makes_sense(grace_s: float) -> None:
    with pytest.raises(UsageError, match="grace_s"):
        check_grace(grace_s)


# Refusals, as dockerd 20.10 and Compose 2.26 word them, and later ones.

REFUSALS = [
    ("permission denied while trying to connect to the Docker daemon socket at unix:///var/run"
     "/docker.sock: Get ...", "may not use Docker", "usermod -aG docker"),
    ("Cannot connect to the Docker daemon at unix:///nowhere. Is the docker daemon running?",
     "does not answer", "systemctl start docker"),
    ("failed to connect to the docker API at unix:///x; check if the path is correct",
     "does not answer", "systemctl start docker"),
    ("docker: 'compose' is not a docker command.", "Compose plugin", "docker-compose-plugin"),
    ("unknown shorthand flag: 'p' in -p", "Compose plugin", "docker-compose-plugin"),
    (" Container a  Creating\nError response from daemon: no such image: no/such:1: No such "
     "image: no/such:1", "no/such:1 is not", "docker pull no/such:1"),
    ("Error response from daemon: driver failed programming external connectivity on endpoint a "
     "(d0dc): Error starting userland proxy: listen tcp4 127.0.0.1:18951: bind: address already "
     "in use", "Port 18951", "sport = :18951"),
    ("Error response from daemon: driver failed programming external connectivity on endpoint a "
     "(d0dc): Bind for 127.0.0.1:18952 failed: port is already allocated", "Port 18952", "ss "),
    ('Error response from daemon: could not select device driver "nvidia" with capabilities: '
     "[[gpu]]", "GPU", "NVIDIA Container Toolkit"),
    ('exec: "docker-init": executable file not found in $PATH', "docker-init", "tini"),
    ('invalid mount config for type "bind": bind source path does not exist: /no/such/dir',
     "/no/such/dir", "mkdir -p /no/such/dir"),
    ("error while creating mount source path '/proc/x': mkdir /proc/x: no such file", "/proc/x",
     "mkdir -p /proc/x"),
    ("write /var/lib/docker/x: no space left on device", "full", "docker system df"),
    ('Conflict. The container name "/vllm-a" is already in use by container "45"', "vllm-a",
     "docker rm vllm-a"),
    ("all predefined address pools have been fully subnetted", "addresses", "network prune"),
]  # fmt: skip


@pytest.mark.parametrize(("said", "message", "hint"), REFUSALS)
def test_a_refusal_says_what_to_do(said: str, message: str, hint: str) -> None:
    error = explain(said, doing="It cannot start")
    assert message in error.message
    assert hint in (error.hint or "")


def test_an_unknown_refusal_is_told_as_it_is() -> None:
    said = " Container hb-e  Creating\n Container hb-e  Created\nError response from daemon: odd."
    assert explain(said, doing="It cannot start").message == "It cannot start: odd."
    assert explain("", doing="It cannot start").message == "It cannot start: no reason was given."


@pytest.mark.parametrize(
    ("number", "installed", "message"),
    [
        (errno.EACCES, True, "may not use Docker"),
        (errno.ENOENT, False, "not installed"),
        (None, False, "not installed"),
        (errno.ENOENT, True, "does not answer (said)"),
        (errno.ECONNREFUSED, False, "does not answer (said)"),
    ],
)
def test_why_no_docker_answers(number: int | None, installed: bool, message: str) -> None:
    error = unreachable(number, "said", installed=installed)
    assert isinstance(error, DockerUnreachableError)
    assert message in error.message
    assert error.hint


@pytest.mark.parametrize(
    ("number", "why"),
    [(errno.ECONNREFUSED, ": Connection refused."), (None, "."), (-2, ".")],
)
def test_another_docker_that_does_not_answer_is_named(number: int | None, why: str) -> None:
    error = unreachable(number, "said", installed=True, host="tcp://10.0.0.9:2375")
    assert error.message == f"Docker does not answer at tcp://10.0.0.9:2375 (DOCKER_HOST){why}"
    assert "unset DOCKER_HOST" in (error.hint or "")
    assert "systemctl" not in (error.hint or "")


def test_a_command_names_it_too() -> None:
    said = "Cannot connect to the Docker daemon at tcp://10.0.0.9:2375. Is it running?"
    error = explain(said, doing="It cannot start", host="tcp://10.0.0.9:2375")
    assert isinstance(error, DockerUnreachableError)
    assert "unset DOCKER_HOST" in (error.hint or "")
    assert "systemctl start" in (explain(said, doing="It cannot start").hint or "")


def test_a_user_who_may_not_use_docker_is_told_so_with_another_host_too() -> None:
    error = unreachable(errno.EACCES, "said", installed=True, host="unix:///run/d.sock")
    assert "usermod -aG docker" in (error.hint or "")


async def test_without_docker_nothing_runs_where_nothing_was_left(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert await away(tmp_path).running() == []
    with_exit = left_behind(tmp_path, "a-1", "a")
    (with_exit / "exit.json").write_text('{"code": 0, "ended_at": 1.0}')
    assert await away(tmp_path).running() == []
    assert caplog.records == []


async def test_without_docker_nobody_says_that_nothing_runs(tmp_path: Path) -> None:
    for instance, model in (("b-1", "b"), ("a-1", "a"), ("a-2", "a")):
        left_behind(tmp_path, instance, model)
    (left_behind(tmp_path, "c-1", "c") / "spec.json").write_text("{")
    with pytest.raises(DockerUnreachableError, match=r"Whether a, b, c-1 still runs") as caught:
        await away(tmp_path).running()
    assert caught.value.models == ("a", "b", "c-1")
    assert "unix:///nowhere.sock" in caught.value.message
    assert (caught.value.hint or "").endswith("Then try again.")


def away(root: Path) -> ComposeDriver:
    environ = {"PATH": os.environ["PATH"], "DOCKER_HOST": "unix:///nowhere.sock"}
    return ComposeDriver(root, environ=environ, patience_s=0.0)


def left_behind(root: Path, instance: str, model: str) -> Path:
    """The folder of a container whose end nobody has recorded."""
    folder = root / instance
    folder.mkdir()
    container = Container("i", instance, 8000)
    spec = LaunchSpec(instance, model, "vllm", "1", (), Endpoint(port=1), container=container)
    (folder / "spec.json").write_text(json.dumps(spec_to_json(spec)))
    return folder

"""Every check: a host where it is content, and hosts where it is not."""

import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
from tests.unit.checks.hosts import (
    DOCKER,
    GOOD,
    H100,
    MISSING,
    PLAN,
    as_process,
    but,
    folder,
    gpu,
    memory,
)

from sparkwell.checks.docker_parts import ContainerGpu
from sparkwell.checks.host_parts import Engine, Port
from sparkwell.checks.model_parts import Environment, Partial, PlanProblem, Repo, Token, Weights
from sparkwell.checks.preflight import CHECKS, preflight
from sparkwell.checks.snapshot import Gap, Snapshot
from sparkwell.cli.main import cli
from sparkwell.core.findings import Finding, Severity, fixes, has_errors
from sparkwell.core.units import GB, GIB
from sparkwell.doctor.fixes import FIXES
from sparkwell.hardware.facts import Facts, GpuFacts, NvmlFacts
from sparkwell.hardware.recognise import recognise

OK, INFO, WARNING, ERROR = Severity.OK, Severity.INFO, Severity.WARNING, Severity.ERROR
CPU_HOST = recognise(Facts(memory=memory(20).memory))
PARTIAL = Partial("/opt/hf/models--a--b/blobs/1f.incomplete", 5 * GB, 7200.0, resumable=True)
FOREIGN = Engine("vllm", pid=77, container="vllm-old", memory_bytes=40 * GIB)


def compose(**changes: Any) -> Snapshot:
    return replace(GOOD, **changes)


def docker(**changes: Any) -> Snapshot:
    return replace(GOOD, docker=replace(DOCKER, **changes), container_gpu=None)


def with_partials(*partials: Partial) -> Snapshot:
    return replace(GOOD, weights=replace(MISSING, partials=partials))


def hub(token: Token, *, gated: bool = True) -> Snapshot:
    repo = Repo("meta/llama", gated, "Llama 3.3")
    return replace(GOOD, weights=MISSING, repo=repo, token=token)


def old_engine(available: float, free: float) -> Snapshot:
    return replace(GOOD, plan=replace(PLAN, counts_page_cache=True), system=memory(available, free))


# id, what is so, how severe, words of the finding, words of a command
CASES: list[tuple[str, Snapshot, Severity | None, str, str]] = [
    ("engine-missing", as_process(), OK, "vllm 0.25.0 is installed", ""),
    ("engine-missing", as_process(compose(environment=Environment("vllm"))), ERROR,
     "not installed", "sparkwell engine install vllm"),
    ("engine-missing", GOOD, None, "", ""),

    ("gpu-missing", GOOD, OK, "NVIDIA GB10", ""),
    ("gpu-missing", compose(gpu=NvmlFacts(problem="there is no driver"), machine=CPU_HOST), ERROR,
     "needs an NVIDIA GPU", "sparkwell plan qwen3-32b-fp8 --hardware dgx-spark"),
    ("gpu-missing", compose(gpu=NvmlFacts(problem="Driver/library version mismatch")), ERROR,
     "does not answer", "sudo reboot"),
    ("gpu-missing", but("request", device="cpu"), None, "", ""),

    ("driver-too-old", GOOD, OK, "runs CUDA 13.0.1", ""),
    ("driver-too-old", compose(gpu=gpu("570.10", "12.8")), ERROR, "older than",
     "nvidia-driver-580"),
    ("driver-too-old", as_process(compose(gpu=gpu("570.10", ""))), ERROR, "CUDA 13", "580"),
    ("driver-too-old", compose(gpu=gpu("570.10", "12.8"), machine=H100), WARNING,
     "data centre", "580"),
    ("driver-too-old", but("image", cuda_version=None), None, "", ""),

    ("driver-regression", GOOD, OK, "580", ""),
    ("driver-regression", compose(gpu=gpu("590.44", "13.1")), WARNING, "590",
     "sparkwell up qwen3-32b-fp8 --set enforce_eager=true"),
    ("driver-regression", compose(gpu=gpu("590.44", "13.1"), machine=H100), None, "", ""),

    ("docker-unreachable", GOOD, OK, "Docker 28.2.2 answers", ""),
    ("docker-unreachable", docker(trouble="missing"), ERROR, "not installed", "apt-get install"),
    ("docker-unreachable", docker(trouble="denied", said="permission denied"), ERROR,
     "permission denied", "usermod -aG docker"),
    ("docker-unreachable", docker(trouble="unreachable"), ERROR, "does not answer",
     "systemctl start docker"),
    ("docker-unreachable", docker(trouble="unreachable", host="unix:///nowhere"), ERROR,
     "DOCKER_HOST is unix:///nowhere", "unset DOCKER_HOST"),
    ("docker-unreachable", docker(trouble="no answer"), ERROR, "in time", "systemctl status"),
    ("docker-unreachable", as_process(docker(trouble="missing")), None, "", ""),

    ("compose-missing", GOOD, OK, "Compose 2.36.0", ""),
    ("compose-missing", docker(compose_version=None), ERROR, "no Compose plugin",
     "docker-compose-v2"),
    ("compose-missing", docker(compose_version="1.29.2"), ERROR, "1.29.2", "docker-compose-v2"),
    ("compose-missing", docker(compose_version="v2.20.3"), OK, "v2.20.3", ""),

    ("docker-init-missing", GOOD, OK, "docker-init", ""),
    ("docker-init-missing", docker(init_works=False), WARNING, "N/A", "apt-get install -y tini"),
    ("docker-init-missing", docker(init_works=None), None, "", ""),

    ("docker-without-gpu", GOOD, OK, "runtime nvidia", ""),
    ("docker-without-gpu", docker(runtimes=("runc",)), ERROR, "runtimes: runc",
     "nvidia-ctk runtime configure --runtime=docker"),
    ("docker-without-gpu", docker(runtimes=(), rootless=True), ERROR, "rootless",
     "systemctl --user restart docker"),
    ("docker-without-gpu", docker(runtimes=("runc",), gpu_hook=True), OK, "hook", ""),
    ("docker-without-gpu", docker(runtimes=(), gpu_devices=("nvidia.com/gpu=0",)), OK, "CDI", ""),
    ("docker-without-gpu", compose(docker=replace(DOCKER, runtimes=())), OK, "", ""),
    ("docker-without-gpu", but("request", device="cpu"), None, "", ""),
    ("docker-without-gpu", compose(machine=CPU_HOST), None, "", ""),

    ("gpu-not-in-container", GOOD, OK, "GPU 0: NVIDIA GB10", ""),
    ("gpu-not-in-container", compose(container_gpu=ContainerGpu(problem="no device driver")),
     ERROR, "no device driver", "nvidia-ctk"),
    ("gpu-not-in-container", compose(container_gpu=None), None, "", ""),

    ("image-missing", GOOD, OK, "25.09-py3 is here", ""),
    ("image-missing", but("image", present=False), INFO, "will be pulled", "docker pull nvcr.io"),
    ("image-missing", but("image", present=False, pullable=False), ERROR, "does not give it",
     "docker pull nvcr.io"),
    ("image-missing", compose(image=None), ERROR, "No container image is known", "--image IMAGE"),
    ("image-missing", compose(image=None, gaps=(Gap("image", "late"),)), None, "", ""),
    ("image-missing", but("image", present=None), None, "", ""),

    ("image-wrong", GOOD, OK, "arm64", ""),
    ("image-wrong", but("image", architecture="amd64"), ERROR, "this machine is arm64",
     "docker pull --platform linux/arm64"),
    ("image-wrong", but("image", refusal="built for SM 12.0 alone", instead="other:2"), ERROR,
     "SM 12.0 alone", "--image other:2"),
    ("image-wrong", but("image", doubts=("Nothing is known of it.",)), WARNING, "may not work",
     "sparkwell up qwen3-32b-fp8"),

    ("port-in-use", GOOD, OK, "Port 8000 is free", ""),
    ("port-in-use", compose(ports=(Port("0.0.0.0", 8000, "it is in use", "nginx", 812),)), ERROR,
     "held by nginx (process 812)", "kill 812"),
    ("port-in-use", compose(ports=(Port("0.0.0.0", 8000, "in use", container="web"),)), ERROR,
     "the container web", "docker stop web"),
    ("port-in-use", compose(ports=(Port("127.0.0.1", 80, "Permission denied"),)), ERROR,
     "127.0.0.1:80 cannot be listened on", "sudo ss -ltnp"),
    ("port-in-use", compose(ports=(Port("127.0.0.1", 8000, "in use", "python", 9, ours=True),)),
     OK, "own", ""),

    ("weights-missing", GOOD, OK, "are here", ""),
    ("weights-missing", compose(weights=Weights(None, 34 * GB, 20 * GB)), INFO,
     "20.0 GB are to be downloaded", "sparkwell pull qwen3-32b-fp8"),
    ("weights-missing", compose(weights=Weights(None, 9, 9, bundled=True)), ERROR, "not whole",
     "pip install"),

    ("download-incomplete", GOOD, OK, "No download", ""),
    ("download-incomplete", with_partials(PARTIAL), INFO, "5.0 GB in 1 file", "sparkwell pull"),
    ("download-incomplete", with_partials(replace(PARTIAL, held_by="hf (process 9)")), INFO,
     "hf (process 9)", ""),
    ("download-incomplete", with_partials(replace(PARTIAL, finished=True)), WARNING,
     "of no use any more take 5.0 GB", "rm '/opt/hf/models--a--b/blobs/1f.incomplete'"),

    ("download-auth", GOOD, OK, "weights are here", ""),
    ("download-auth", hub(Token(False)), ERROR, "gated, and there is no token", "hf auth login"),
    ("download-auth", hub(Token(True, "HF_TOKEN")), OK, "must have agreed", ""),
    ("download-auth", hub(Token(True, "HF_TOKEN", "it is a placeholder"), gated=False), ERROR,
     "placeholder", "unset HF_TOKEN"),
    ("download-auth", hub(Token(True, "/root/.env", "it stands in quotes")), ERROR, "quotes",
     "hf auth login"),
    ("download-auth", hub(Token(False), gated=False), OK, "is open", ""),

    ("cache-not-writable", folder("cache"), OK, "/opt/hf", ""),
    ("cache-not-writable", folder("cache", exists=False), INFO, "will be made",
     "mkdir -p '/opt/hf'"),
    ("cache-not-writable", folder("cache", writable=False), ERROR, "cannot be written",
     "sudo chown"),
    ("cache-not-writable", folder("cache", exists=False, writable=False), ERROR,
     "nor can it be made", "sudo mkdir -p '/opt/hf'"),
    ("cache-not-writable", folder("state", writable=False), ERROR, "Sparkwell's own",
     "SPARKWELL_HOME"),

    ("disk-full", folder("cache"), OK, "35.0 GB needed", ""),
    ("disk-full", folder("cache", free_bytes=34 * GB), ERROR, "34.0 GB free", "sort -h"),
    ("disk-full", folder("state", free_bytes=1), ERROR, "too little space", "SPARKWELL_HOME"),
    ("disk-full", replace(folder("images", free_bytes=GB), image=but("image", present=False).image),
     WARNING, "may have too little", "docker images"),

    ("cache-in-memory", folder("cache", filesystem="tmpfs"), WARNING, "in memory", "config show"),
    ("cache-in-memory", GOOD, None, "", ""),

    ("plan-does-not-fit", GOOD, OK, "90.0 GiB of 120.0 GiB", ""),
    ("plan-does-not-fit", but("plan", fits=False, problems=(PlanProblem("too long", "Set x."),)),
     ERROR, "too long", "sparkwell plan qwen3-32b-fp8 --explain"),

    ("memory-startup-check", GOOD, OK, "112.0 GiB free, 96.0 GiB wanted", ""),
    ("memory-startup-check", compose(system=memory(90)), ERROR, "90.0 GiB free",
     "gpu_memory_utilization=0.74"),
    ("memory-startup-check", compose(system=memory(60), engines=(FOREIGN,)), ERROR,
     "other engines hold 40.0 GiB", "docker stop vllm-old"),
    ("memory-startup-check",
     compose(machine=H100, gpu=NvmlFacts(gpus=(GpuFacts("H100", (9, 0), 80 * GIB, 0, 20 * GIB),))),
     ERROR, "20.0 GiB free", "--set gpu_memory_utilization=0.16"),
    ("memory-startup-check", but("plan", startup_bytes=None), None, "", ""),

    ("page-cache-counted", GOOD, None, "", ""),
    ("page-cache-counted", old_engine(112, 100), OK, "100.0 GiB free", ""),
    ("page-cache-counted", old_engine(112, 40), ERROR, "40.0 GiB free, 112.0 GiB available",
     "drop_caches"),
    ("page-cache-counted", old_engine(60, 40), None, "", ""),

    ("host-memory-low", GOOD, OK, "22.0 GiB stay available", ""),
    ("host-memory-low", compose(system=memory(97), engines=()), ERROR, "8.0 GiB to stay free",
     "ps -eo"),
    ("host-memory-low", compose(machine=H100), None, "", ""),

    ("two-engines", GOOD, OK, "No other engine", ""),
    ("two-engines", compose(engines=(FOREIGN,)), WARNING, "vLLM (container vllm-old)",
     "docker stop vllm-old"),
    ("two-engines", compose(engines=(Engine("llama.cpp", pid=4),)), WARNING, "memory unknown",
     "kill 4"),
    ("two-engines", compose(engines=(Engine("ollama", pid=5, loaded=True, memory_bytes=GIB),)),
     WARNING, "Ollama (process 5)", "systemctl stop ollama"),
    ("two-engines", compose(engines=(Engine("ollama", pid=5, loaded=False),)), INFO,
     "without a model", ""),

    ("not-looked-at", compose(gaps=(Gap("docker", "no answer within 5 s"),)), INFO,
     "docker: no answer within 5 s", ""),
    ("not-looked-at", GOOD, None, "", ""),
]  # fmt: skip
IDS = [f"{case[0]}-{case[2]}-{number}" for number, case in enumerate(CASES)]


def found(snapshot: Snapshot, check: str) -> list[Finding]:
    return [finding for finding in preflight(snapshot) if finding.id == check]


def words(finding: Finding) -> str:
    texts = [finding.title, *finding.evidence, finding.cause or ""]
    return " | ".join([*texts, *(remedy.text for remedy in finding.remedies)])


def commands(finding: Finding) -> str:
    return "\n".join(remedy.command or "" for remedy in finding.remedies)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_the_check(case: tuple[str, Snapshot, Severity | None, str, str]) -> None:
    check, snapshot, severity, said, command = case
    about = [each for each in found(snapshot, check) if said in words(each)]
    if severity is None:
        assert found(snapshot, check) == []
        return
    assert [each.severity for each in about if command in commands(each)][:1] == [severity]


def test_nothing_speaks_against_the_good_host() -> None:
    severities = {each.severity for each in preflight(GOOD)}
    assert severities == {OK}


def test_every_check_is_in_the_table_passing_and_failing() -> None:
    told = {check: {case[2] for case in CASES if case[0] == check} for check, *_ in CASES}
    assert set(told) == {check.id for check in CHECKS}
    quiet = {"cache-in-memory", "not-looked-at"}  # say nothing where all is well
    for check, severities in told.items():
        assert None in severities if check in quiet else OK in severities, check
        assert severities - {OK, None}, check


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_findings_have_the_id_of_their_check(check: Any) -> None:
    for _, snapshot, *_ in CASES:
        assert {finding.id for finding in check.look(snapshot)} <= {check.id}


def test_every_failed_check_has_a_remedy_with_a_command() -> None:
    failed = [each for case in CASES for each in preflight(case[1]) if each.severity is ERROR]
    assert len(failed) > 20
    for finding in failed:
        assert any(remedy.command for remedy in finding.remedies), finding.title


def parse(line: str) -> None:
    """Parse a command line of ours without running it; raises click.ClickException."""
    name, *rest = shlex.split(line)[1:]
    command = cli.get_command(click.Context(cli), name)
    assert command, line
    context = command.make_context(name, rest)
    named = next((word for word in rest if not word.startswith("-")), None)
    if isinstance(command, click.Group) and named:
        assert command.get_command(context, named), line


def test_commands_of_sparkwell_are_right() -> None:
    every = {
        remedy.command
        for case in CASES
        for finding in preflight(case[1])
        for remedy in finding.remedies
        if remedy.command and remedy.command.startswith("sparkwell ")
    }
    assert len(every) > 8
    for command in every:
        parse(command)


def test_ids_are_names() -> None:
    ids = [check.id for check in CHECKS]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", each) for each in ids)
    assert all(check.asks.endswith("?") for check in CHECKS)


def test_the_document_has_every_check_and_fix_in_order() -> None:
    page = (Path(__file__).parents[3] / "docs" / "preflight.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE)
    assert listed == [*(check.id for check in CHECKS), *FIXES]


def test_a_snapshot_without_parts_says_nothing() -> None:
    assert preflight(Snapshot(0.0, "0.1")) == ()


@pytest.mark.parametrize(
    "part",
    ["request", "system", "machine", "gpu", "docker", "ports", "token", "repo", "weights",
     "folders", "engines", "environment", "plan"],
)  # fmt: skip
def test_a_part_that_is_not_known_is_no_error(part: str) -> None:
    for base in (GOOD, as_process()):
        less: dict[str, Any] = {part: None}
        assert not has_errors(preflight(replace(base, **less)))


def test_memory_of_engines_that_end_first_counts_as_free() -> None:
    ours = Engine("vllm", ours=True, pid=9, model="other", memory_bytes=60 * GIB)
    full = replace(GOOD, system=memory(52), engines=(ours,))
    assert has_errors(found(full, "memory-startup-check"))
    assert "sparkwell down other" in commands(found(full, "memory-startup-check")[0])
    assert full.request
    ending = replace(full, request=replace(full.request, ends=("other",)))
    assert not has_errors(preflight(ending))


def test_an_engine_that_ends_and_tells_no_memory_leaves_it_open() -> None:
    ours = Engine("vllm", ours=True, pid=9, model="other")
    full = replace(GOOD, system=memory(52), engines=(ours,))
    assert full.request
    ending = replace(full, request=replace(full.request, ends=("other",)))
    assert found(ending, "memory-startup-check") == found(ending, "host-memory-low") == []


def test_fixes_are_offered_once_and_in_order() -> None:
    snapshot = replace(
        folder("cache", exists=False),
        weights=with_partials(replace(PARTIAL, finished=True)).weights,
        plan=replace(PLAN, counts_page_cache=True),
        system=memory(112, 40),
    )
    names = ("remove-partial-files", "make-cache-folder", "drop-page-cache")
    assert fixes(preflight(snapshot)) == names
    assert fixes(preflight(GOOD)) == ()


def test_the_json_form_is_stable() -> None:
    finding = found(docker(trouble="denied", said="permission denied"), "docker-unreachable")[0]
    assert finding.to_json() == {
        "id": "docker-unreachable",
        "severity": "error",
        "title": "This user may not talk to Docker",
        "evidence": ["permission denied"],
        "cause": None,
        "remedies": [
            {
                "text": "Join the group docker, then log in again. Its members can become root "
                "on this host.",
                "command": 'sudo usermod -aG docker "$USER" && newgrp docker',
                "fix": None,
            }
        ],
        "about": None,
    }

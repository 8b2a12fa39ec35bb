"""Compose files that people have: services, vLLM's arguments, variables, and what is refused."""

import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkwell.core.errors import DocumentError
from sparkwell.engines.compose.reading import ComposeFile, ComposeService, read_compose
from sparkwell.engines.compose.reading_arguments import SHORT, read_arguments
from sparkwell.engines.compose.reading_fields import Port, Volume, Word
from sparkwell.engines.compose.reading_ollama import OllamaService, read_ollama
from sparkwell.engines.compose.reading_program import vllm_arguments
from sparkwell.engines.compose.reading_variables import (
    Variables,
    is_secret,
    parse_env,
    without_secrets,
)
from sparkwell.engines.compose.reading_vllm import VllmService, read_vllm
from sparkwell.engines.compose.reading_yaml import SECRET, redacted
from sparkwell.engines.vllm.flag_table import OWNED
from sparkwell.engines.vllm.history import history

IMAGE = "nvcr.io/nvidia/vllm:25.09-py3"
OLD = "0.10.1.1"
TOKEN = "hf_" + "abcdefghij" * 3


def read(text: str, **variables: str) -> ComposeFile:
    return read_compose(text, "f.yml", variables)


def one(text: str, **variables: str) -> ComposeService:
    (service,) = read(text, **variables).services
    return service


def service(fields: str, **variables: str) -> ComposeService:
    """A service of one line for each field."""
    lines = "".join(f"    {line}\n" for line in fields.splitlines())
    return one(f"services:\n  a:\n{lines}", **variables)


def vllm(fields: str, **variables: str) -> VllmService:
    found = read_vllm(service(fields, **variables))
    assert found is not None
    return found


def command(words: str) -> VllmService:
    return vllm(f"image: {IMAGE}\ncommand: vllm serve {words}")


def refusal(text: str) -> str:
    with pytest.raises(DocumentError) as caught:
        read(text)
    return caught.value.message


def left(found: Any) -> dict[str, str]:
    return {each.name: each.why for each in found.left}


# ── the file ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "f.yml:1: this file is empty: no Compose file"),
        ("# nothing\n", "f.yml:1: this file is empty: no Compose file"),
        ("- a\n- b\n", "f.yml:1: this is a list, not a mapping: no Compose file"),
        ("just words", "f.yml:1: this is a text, not a mapping: no Compose file"),
        ("name: x\nkey: [1]\n", "f.yml:1: there are no services here, so this is no Compose file"),
        ("a: 1\nservices: 3\n", "f.yml:2: services: expected a mapping of names to services"),
        ("services:\n", "f.yml:1: services: expected a mapping"),
        ("services:\n  a: x\n", "f.yml:2: services.a: expected a mapping"),
        ("services:\n  a: {image: x}\n  a: {}\n", "f.yml:3: services.a: this key is there twice"),
        ("services:\n  a:\n    image: x\n    image: y\n", "f.yml:4: services.a.image: this key"),
        ("services: [\n", "f.yml:1: this is not YAML"),
        ("services:\n  a: {ports: x}\n", "f.yml:2: expected a list"),
        ("services:\n  a:\n    command:\n    - [b]\n", "f.yml:4: expected a text"),
        ("services:\n  a:\n    command: 'x \"y'\n", "f.yml:3: this command has no closing quot"),
        ("services:\n  ? [a]\n  : b\n", "f.yml:2: a key has to be a text"),
        ("services:\n  a: &a\n    <<: *a\n", "f.yml:2: this contains itself"),
        ("services:\n  a:\n    <<: [3]\n", "f.yml:3: << takes mappings alone"),
        ("services: \x00\n", "this is not YAML"),
        ("[" * 500, "f.yml:1: this is nested deeper than 50 levels"),
        ("a: " + "x" * 1_000_001, "f.yml: more than 1,000,000 characters are no Compose file"),
    ],
)
def test_what_is_no_compose_file(text: str, said: str) -> None:
    assert refusal(text).startswith(said) or said in refusal(text)


def test_services_as_a_guide_prints_them() -> None:
    found = one(f"vllm-a:\n  image: {IMAGE}\n  command: [vllm, serve, a/b]\n")
    assert (found.name, found.line, found.image) == ("vllm-a", 1, IMAGE)


def test_texts_stay_as_they_are_written() -> None:
    found = service("image: a\ncommand: [--x, 0.90, yes, 012, 22:22]\nports: [22:22]")
    assert [word.text for word in found.argv] == ["--x", "0.90", "yes", "012", "22:22"]
    assert [(port.host, port.inner) for port in found.ports] == [(22, 22)]


def test_anchors_aliases_and_merge_keys() -> None:
    text = """x-base: &base
  image: a/b:1
  restart: always
  environment: &env {A: "1"}
x-more: &more {image: c/d:2, profiles: [p]}
services:
  one: {<<: *base, restart: "no"}
  two:
    <<: [*base, *more]
    environment: {<<: *env, B: "2"}
"""
    first, second = read(text).services
    assert (first.image, first.restart) == ("a/b:1", "no")
    assert (second.image, second.restart, second.profiles) == ("a/b:1", "always", ("p",))
    assert second.environment == {"A": "1", "B": "2"}


def test_lines_are_those_of_the_file_also_behind_an_anchor() -> None:
    text = "x: &x\n  ports:\n    - 1-2:1-2\nservices:\n  a:\n    <<: *x\n    image: i\n"
    (found,) = one(text).left
    assert (found.line, found.name) == (3, "services.a.ports[0]")


def test_bombs_end_quickly() -> None:
    merging = ["a0: &a0 {x0: 1}"]
    merging += [
        f"a{n}: &a{n} {{x{n}: 1, <<: [{', '.join([f'*a{n - 1}'] * 60)}]}}" for n in range(1, 60)
    ]
    aliases = ["a0: &a0 [x, x]"]
    aliases += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 40)]
    services = "services:\n  a: {image: x, command: *a39}\n"
    began = time.monotonic()
    assert "merge keys make more than 100,000 fields here" in refusal("\n".join(merging))
    assert "expected a text" in refusal("\n".join(aliases) + "\n" + services)
    assert time.monotonic() - began < 5


def test_variables_that_multiply_end_quickly() -> None:
    text = "services:\n  a:\n    image: x\n    labels:\n" + "".join(
        f"      l{n}: {'$A' * 1000}\n" for n in range(100)
    )
    with pytest.raises(DocumentError, match="variables make this file endless"):
        read(text, A="x" * 1000)


def test_five_thousand_lines_do_not_hang() -> None:
    lines = [f"  s{n}:\n    image: i{n}\n    command: [a, b]\n    tty: true" for n in range(1300)]
    began = time.monotonic()
    found = read("services:\n" + "\n".join(lines))
    assert len(found.services) == 1300
    assert time.monotonic() - began < 10


def test_what_the_top_level_leaves() -> None:
    text = "version: '3'\nname: n\nx-y: 1\nvolumes: {}\ninclude: [b.yml]\nservices: {a: {image: i}}"
    (found,) = read(text).left
    assert (found.line, found.name) == (5, "include")
    assert "not followed" in found.why


yaml_like = st.text(alphabet="ab:-[]{}&*!|>'\"#%@,?<=0x1._~$ \n\t\\", max_size=60)


@given(yaml_like, yaml_like)
def test_nothing_but_document_errors(text: str, inner: str) -> None:
    for each in (text, f"services:\n  a:\n    image: x\n    command: {inner}\n"):
        with suppress(DocumentError):
            for found in read(each).services:
                read_vllm(found)
                read_ollama(found)


# ── fields ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("written", "port"),
    [
        ("8000:8001", (8000, 8001, None)),
        ("127.0.0.1:8000:8001", (8000, 8001, "127.0.0.1")),
        ("'[::1]:8000:8001/tcp'", (8000, 8001, "::1")),
        ("0.0.0.0:8000:8001", (8000, 8001, None)),
        ("{target: 8001, published: 8000, protocol: tcp}", (8000, 8001, None)),
        ("{target: 8001, published: 8000, host_ip: 1.2.3.4}", (8000, 8001, "1.2.3.4")),
    ],
)
def test_ports(written: str, port: tuple[int, int, str | None]) -> None:
    found = service(f"image: x\nports:\n- {written}")
    assert found.ports == (Port(5, *port),)
    assert found.left == ()


@pytest.mark.parametrize(
    "written",
    ["8000", "8000-8002:8000-8002", "53:53/udp", "99999:1", "x:1", "{target: 1}",
     "{target: 1, published: 2, protocol: udp}", "0:1"],
)  # fmt: skip
def test_ports_that_are_left(written: str) -> None:
    found = service(f"image: x\nports:\n- {written}")
    assert found.ports == ()
    assert [each.name for each in found.left] == ["services.a.ports[0]"]


def test_volumes() -> None:
    found = service(
        "image: x\nvolumes:\n- /a:/b\n- ./c:/d:ro\n- v:/e:z,ro\n- /only\n"
        "- {type: bind, source: /f, target: /g, read_only: true}"
    )
    assert found.volumes == (
        Volume(5, "/a", "/b"),
        Volume(6, "./c", "/d", True),
        Volume(7, "v", "/e", True),
        Volume(8, None, "/only"),
        Volume(9, "/f", "/g", True),
    )
    assert [each.is_named for each in found.volumes] == [False, False, True, True, False]


def test_environment_in_both_spellings() -> None:
    assert service("image: x\nenvironment: {A: 1, B: }").environment == {"A": "1", "B": ""}
    assert service("image: x\nenvironment: [A=1=2, B]").environment == {"A": "1=2", "B": ""}


def test_fields_are_sparkwells_own_or_left_with_a_reason() -> None:
    found = service(
        "image: x\nipc: host\nulimits: {memlock: -1}\nshm_size: 8g\ncontainer_name: c\n"
        "security_opt: ['no-new-privileges:true']\nnetworks: {default: null}\ngpus: all\n"
        "cpus: 2\nextends: {service: b}\nenv_file: .env\ndepends_on: [b]\nx-mine: 1\nbuild: ."
    )
    assert found.own == (
        "ipc",
        "ulimits",
        "shm_size",
        "container_name",
        "security_opt",
        "networks",
        "gpus",
    )
    names = [each.field[-1] for each in found.left]
    assert names == ["cpus", "extends", "env_file", "depends_on", "build"]
    assert "not followed" in left(found)["services.a.extends"]


@pytest.mark.parametrize(
    ("device", "names"),
    [
        ("{driver: nvidia, count: all, capabilities: [gpu]}", []),
        ("{driver: nvidia, count: -1, capabilities: [gpu]}", []),
        ("{driver: nvidia, count: 1, capabilities: [gpu]}", ["count"]),
        ("{driver: nvidia, device_ids: ['0'], capabilities: [gpu]}", ["device_ids"]),
    ],
)
def test_reservations(device: str, names: list[str]) -> None:
    found = service(f"image: x\ndeploy: {{resources: {{reservations: {{devices: [{device}]}}}}}}")
    assert [each.field[-1] for each in found.left] == names


def test_limits_of_a_deployment_are_left() -> None:
    found = service("image: x\ndeploy: {replicas: 2, resources: {limits: {memory: 1g}}}")
    assert [each.name for each in found.left] == [
        "services.a.deploy.replicas",
        "services.a.deploy.resources.limits",
    ]


# ── variables and secrets ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("$A-${A}", "1-1"),
        ("${B:-x}${B-y}${E:-z}${E-w}", "xyz"),
        ("${A:+yes}${E:+no}${E+set}${B+no}", "yesset"),
        ("${B:-${A}2}", "12"),
        ("$$A", "$A"),
        ("${B}", ""),
        ("${B:?must be set}", ""),
        ("a $ b", "a $ b"),
        ("${HF_TOKEN}", SECRET),
    ],
)
def test_variables(text: str, made: str) -> None:
    known = Variables({"A": "1", "E": ""}, "f.yml")
    assert known.fill(text, 7) == made
    assert known.unset == ({"B": 7} if text in ("${B}", "${B:?must be set}") else {})


def test_a_variable_without_a_value_is_named() -> None:
    (found,) = read("services:\n  a:\n    image: ${WHAT}/x\n").left
    assert (found.line, found.name) == (3, "${WHAT}")
    assert "has no value in .env" in found.why


def test_an_env_file() -> None:
    text = f"""# comment
A=1
export B = 'two $A' # said
C="${{A}}3"   # x
D=four # five
HF_TOKEN={TOKEN}
EMPTY_TOKEN=
not a line
"""
    assert parse_env(text) == {
        "A": "1",
        "B": "two $A",
        "C": "13",
        "D": "four",
        "HF_TOKEN": SECRET,
        "EMPTY_TOKEN": "",
    }


def test_secrets_of_the_environment_are_dropped() -> None:
    assert without_secrets({"HF_TOKEN": "x", "HOME": "/h"}) == {"HF_TOKEN": SECRET, "HOME": "/h"}


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("HF_TOKEN", True),
        ("HUGGING_FACE_HUB_TOKEN", True),
        ("OPENAI_API_KEY", True),
        ("db_password", True),
        ("HF_TOKEN_PATH", False),
        ("VLLM_MAX_TOKENS", False),
        ("TOKENIZERS_PARALLELISM", False),
        ("MONKEY", False),
    ],
)
def test_names_of_secrets(name: str, secret: bool) -> None:
    assert is_secret(name) is secret


@pytest.mark.parametrize(
    "fields",
    [
        f"image: x\nenvironment:\n  HF_TOKEN: {TOKEN}",
        f"image: x\nenvironment:\n- HF_TOKEN={TOKEN}",
        "image: x\nenvironment:\n  HF_TOKEN: anything-literal",
        f"image: x\nenvironment:\n  OTHER: a {TOKEN}",
    ],
)
def test_a_token_as_text_is_named_and_not_shown(fields: str) -> None:
    found = service(fields)
    (entry,) = found.left
    assert (entry.line, entry.field[2]) == (5, "environment")
    assert entry.why == "holds a token as text"
    assert ".env" in (entry.remedy or "")
    assert TOKEN not in repr(found)
    assert "anything-literal" not in repr(found)


def test_a_token_from_env_is_no_token_as_text() -> None:
    found = service('image: x\nenvironment: {HF_TOKEN: "${HF_TOKEN}"}', HF_TOKEN=SECRET)
    assert found.left == ()
    assert found.environment == {"HF_TOKEN": None}


def test_a_token_in_a_command_is_named_and_not_shown() -> None:
    found = vllm(f"image: {IMAGE}\ncommand: vllm serve a/b --hf-token {TOKEN} --api-key secret1")
    assert found.flags == {}
    assert left(found) == {
        f"services.a.command.--{name.replace('_', '-')}": OWNED[name]
        for name in ("hf_token", "api_key")
    }
    assert TOKEN not in repr(found)
    assert "secret1" not in repr(found)


def test_redacted() -> None:
    assert redacted(f"a {TOKEN} b {SECRET}") == "a (a token) b (a secret)"


# ── which program ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "fields",
    [
        "command: [vllm, serve, Qwen/Q, --seed, '1']",
        "command: vllm serve Qwen/Q --seed=1",
        "command: >\n  vllm serve Qwen/Q\n  --seed 1",
        "command: |\n  vllm serve Qwen/Q \\\n  --seed 1",
        "command: /usr/local/bin/vllm serve --seed 1 Qwen/Q",
        "command: vllm serve --model Qwen/Q --seed 1",
        "command: python3 -u -m vllm.entrypoints.openai.api_server --model Qwen/Q --seed 1",
        "command: python -m vllm.entrypoints.openai.api_server --model=Qwen/Q --seed=1",
        "command: /opt/venv/bin/python3.12 -m vllm.entrypoints.cli.main serve Qwen/Q --seed 1",
        "entrypoint: [vllm, serve]\ncommand: [Qwen/Q, --seed, '1']",
        "entrypoint: vllm\ncommand: serve Qwen/Q --seed 1",
        "entrypoint: [/opt/nvidia/nvidia_entrypoint.sh]\ncommand: vllm serve Qwen/Q --seed 1",
        "entrypoint: [/bin/bash, -c]\ncommand: ['exec vllm serve Qwen/Q --seed 1']",
        "command: bash -lc 'vllm serve Qwen/Q --seed 1'",
        "command: env VLLM_X=1 vllm serve Qwen/Q --seed 1",
        "command: python3 /usr/bin/vllm serve Qwen/Q --seed 1",
    ],
)
def test_spellings_of_a_start(fields: str) -> None:
    found = vllm(f"image: {IMAGE}\n{fields}")
    assert (found.model, found.flags, found.left) == ("Qwen/Q", {"seed": 1}, ())
    assert found.version == OLD


@pytest.mark.parametrize(
    "words", ["[--model, Qwen/Q, --seed, '1']", "Qwen/Q --seed 1", "--seed 1 --model Qwen/Q"]
)
def test_an_image_whose_entrypoint_is_the_server(words: str) -> None:
    found = vllm(f"image: vllm/vllm-openai:v0.11.0\ncommand: {words}")
    assert (found.model, found.version, found.flags) == ("Qwen/Q", "0.11.0", {"seed": 1})


def test_other_commands_of_a_script_are_named() -> None:
    found = vllm(
        f"image: {IMAGE}\n"
        "command: bash -c 'pip install x && exec vllm serve Qwen/Q --seed 1; echo done'"
    )
    assert (found.model, found.flags) == ("Qwen/Q", {"seed": 1})
    assert list(left(found)) == ["services.a.command.pip", "services.a.command.echo"]


@pytest.mark.parametrize(
    "fields",
    [
        "image: postgres:17\ncommand: [postgres]",
        f"image: {IMAGE}\ncommand: vllm bench serve",
        f"image: {IMAGE}\ncommand: bash",
        f"image: {IMAGE}",
        f"image: {IMAGE}\ncommand: bash -c 'nvidia-smi'",
        "image: python:3\ncommand: python3 -m http.server",
        "image: vllm/vllm-openai:v0.11.0\ncommand: bash",
    ],
)
def test_what_does_not_run_vllm(fields: str) -> None:
    assert read_vllm(service(fields)) is None


def test_no_words_are_no_program() -> None:
    assert vllm_arguments((), None) is None
    assert vllm_arguments((Word("sh", 1), Word("-c", 1), Word("'", 1)), None) is None


# ── vLLM's arguments ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("words", "flags"),
    [
        ("--max-model-len 32k", {"max_model_len": 32_000}),
        ("--max-model-len=32K", {"max_model_len": 32_768}),
        ("--max-model-len -1", {"max_model_len": -1}),
        ("--max_num_seqs 4 --max-num-seqs 8", {"max_num_seqs": 8}),
        ("-tp 2 -pp=3", {"tensor_parallel_size": 2, "pipeline_parallel_size": 3}),
        ("-q fp8", {"quantization": "fp8"}),
        ("--no-enable-prefix-caching", {"enable_prefix_caching": False}),
        ("--enable-prefix-caching --seed 3", {"enable_prefix_caching": True, "seed": 3}),
        ("--disable-log-requests", {"disable_log_requests": True}),
        ("--gpu-memory-utilization 0.90", {"gpu_memory_utilization": 0.9}),
        ("--rope-scaling '{\"factor\":4}'", {"rope_scaling": '{"factor":4}'}),
        ("--swap-space 0", {"swap_space": 0}),
        ("-O3", {"compilation_config": 3}),
        ("--download-dir /x --host 0.0.0.0 --port 9000", {}),
    ],
)
def test_flags(words: str, flags: dict[str, Any]) -> None:
    found = command(f"Qwen/Q {words}")
    assert (found.model, found.flags, found.left) == ("Qwen/Q", flags, ())


@pytest.mark.parametrize(
    ("words", "name", "said"),
    [
        ("--bogus 3", "--bogus", "vLLM 0.10.1.1 has no flag 'bogus'"),
        ("--enable-log-request", "--enable-log-request", "has no flag"),
        ("--max-num-seqs many", "--max-num-seqs", "takes a whole number"),
        ("--gpu-memory-utilization 7", "--gpu-memory-utilization", "takes a number from"),
        ("--served-model-name x", "--served-model-name", "recipe's name and repository id"),
        ("--rope-scaling.factor 4", "--rope-scaling.factor", "only whole values"),
        ("--cuda-graph-sizes 1 2 4", "--cuda-graph-sizes", "takes several values"),
        ("-zz 4", "-zz", "is no option that is known"),
        ("another", "another", "neither an option nor a value"),
    ],
)
def test_arguments_that_are_left(words: str, name: str, said: str) -> None:
    found = command(f"Qwen/Q {words}")
    assert found.model == "Qwen/Q"
    assert found.flags == {}
    entries = {each.field[-1]: each for each in found.left}
    assert said in entries[name].why
    assert entries[name].line == 4


def test_an_unknown_flag_has_its_own_line_and_near_names() -> None:
    words = "\n".join(["command:", "- vllm", "- serve", "- a/b", "- --max-num-seq", "- '3'"])
    (found,) = vllm(f"image: {IMAGE}\n{words}").left
    assert (found.line, found.name) == (8, "services.a.command.--max-num-seq")
    assert "max_num_seqs" in (found.remedy or "")


def test_short_options_are_flags_that_exist() -> None:
    assert set(SHORT.values()) <= history().flags.keys()


def test_the_level_of_optimization_by_version() -> None:
    newer = read_arguments([Word("-O", 1), Word("2", 1)], "0.20.0")
    assert [(each.name, each.value) for each in newer.flags] == [("optimization_level", 2)]


@given(st.lists(st.text(alphabet="-abO=. 1k/", max_size=8), max_size=8))
def test_any_words_are_read(words: list[str]) -> None:
    found = read_arguments([Word(word, 1) for word in words], OLD)
    assert len(found.flags) + len(found.left) <= len(words)


# ── what a service of vLLM's says beside its flags ──────────────────────────────────────────


def test_a_whole_service() -> None:
    found = vllm(
        f"image: {IMAGE}\n"
        "command: vllm serve Qwen/Q --download-dir /cache/hf --port 9000\n"
        "ports: ['127.0.0.1:8080:9000', '9999:1']\n"
        "environment: {HF_HOME: /hf, HF_HUB_OFFLINE: 1, FOO: bar, CUDA_VISIBLE_DEVICES: 0}\n"
        "volumes: ['/w:/cache/hf', './x:/hf/hub', '/y:/root/.cache', 'v:/hf', '/z:/z:ro',\n"
        "  'c:/root/.cache/vllm']"
    )
    assert (found.host, found.address) == (8080, "127.0.0.1")
    assert found.weights == ("/w", "./x", "/y/huggingface")
    assert found.folders == (Volume(7, "/z", "/z", True),)
    assert set(left(found)) == {
        "services.a.ports",
        "services.a.environment.FOO",
        "services.a.environment.CUDA_VISIBLE_DEVICES",
        "services.a.volumes./hf",
    }
    assert "bar" not in repr(found.left)  # values of variables may be secrets


def test_a_volume_with_a_secret_is_left() -> None:
    found = vllm(
        f"image: {IMAGE}\ncommand: vllm serve a/b\nvolumes: ['/x/${{MY_TOKEN}}:/y']",
        MY_TOKEN=SECRET,
    )
    assert (found.folders, found.weights) == ((), ())
    assert "holds a secret" in left(found)["services.a.volumes"]


# ── Ollama ──────────────────────────────────────────────────────────────────────────────────


def ollama(fields: str) -> OllamaService:
    found = read_ollama(service(fields))
    assert found is not None
    return found


def test_the_guides_ollama() -> None:
    found = ollama(
        "image: ollama/ollama\nports: ['11434:11434']\nenvironment: {OLLAMA_KEEP_ALIVE: 30m}\n"
        "volumes: ['/opt/ollama:/root/.ollama']"
    )
    assert (found.folder, found.left) == ("/opt/ollama", ())
    assert found.port == Port(4, 11434, 11434)


def test_what_an_ollama_leaves() -> None:
    found = ollama(
        "image: ollama/ollama:0.12.6\nports: ['11434:11434', '1:2']\n"
        "environment: {OLLAMA_KEEP_ALIVE: 5m, OLLAMA_CONTEXT_LENGTH: 8192, OLLAMA_DEBUG: 1}\n"
        "volumes: ['data:/root/.ollama', '/x:/y']"
    )
    assert found.folder is None
    assert set(left(found)) == {
        "services.a.ports",
        "services.a.environment.OLLAMA_KEEP_ALIVE",
        "services.a.environment.OLLAMA_CONTEXT_LENGTH",
        "services.a.environment.OLLAMA_DEBUG",
        "services.a.volumes./root/.ollama",
        "services.a.volumes./y",
    }
    assert "has 30m there" in left(found)["services.a.environment.OLLAMA_KEEP_ALIVE"]


def test_models_of_ollama_in_another_folder() -> None:
    found = ollama(
        "image: ghcr.io/me/ollama@sha256:1\nenvironment: {OLLAMA_MODELS: /models}\n"
        "volumes: ['/big:/models']"
    )
    assert (found.folder, found.port) == ("/big", None)


@pytest.mark.parametrize("image", ["open-webui/ollama-ui:1", "postgres", "my/ollamas"])
def test_what_is_no_ollama(image: str) -> None:
    assert read_ollama(service(f"image: {image}")) is None

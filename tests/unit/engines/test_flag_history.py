"""Which flags exist in which version of vLLM: against what was read, and between the versions."""

import json
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkwell.core.errors import UsageError
from sparkwell.engines.vllm.history import (
    Default,
    aliased,
    choices,
    default,
    exists,
    history,
    parse_version,
    removed_in,
)

VERSIONS = [str(version) for version in history().versions]
NAMES = sorted(history().flags)


def test_the_flags_of_0_32_0_are_those_that_the_engine_itself_lists() -> None:
    text = files("sparkwell.engines.vllm").joinpath("known_flags.txt").read_text("ascii")
    head, *listed = text.splitlines()
    assert "0.32.0" in head
    assert {name for name in NAMES if exists(name, "0.32.0")} == set(listed)


@pytest.mark.parametrize(
    ("flag", "version", "expected"),
    [
        ("swap_space", "0.10.1.1", True),
        ("swap_space", "0.17.1", True),
        ("swap_space", "0.18.0", None),  # 0.17.1 has it, 0.18.1 has it not
        ("swap_space", "0.18.1", False),
        ("swap_space", "0.33.0", False),
        ("swap_space", "0.99", False),  # what is gone does not come back
        ("rope_scaling", "0.11.0", True),
        ("rope_scaling", "0.11.1", False),
        ("kv_cache_memory_bytes", "0.10.1.1", False),
        ("kv_cache_memory_bytes", "0.10.2", True),
        ("enable_cumem_allocator", "0.21.0", False),
        ("enable_cumem_allocator", "0.22.1", True),  # both neighbours have it
        ("max_model_len", "0.10.1.1+381074ae.nv25.09", True),
        ("max_model_len", "v0.25.0", True),
        ("max_model_len", "0.99", True),
        ("max_model_len", "0.5.0", None),
        ("no_such_flag", "0.25.0", False),
        ("no_such_flag", "0.25.1", False),
        ("no_such_flag", "0.99", None),  # may be new
    ],
)
def test_exists(flag: str, version: str, expected: bool | None) -> None:
    assert exists(flag, version) is expected


@pytest.mark.parametrize(
    ("flag", "version", "expected"),
    [
        ("gpu_memory_utilization", "0.19.0", Default(0.9)),
        ("gpu_memory_utilization", "0.20.0", Default(0.92)),
        ("gpu_memory_utilization", "0.19.1", None),  # between the two
        ("gpu_memory_utilization", "0.26.1", Default(0.92)),
        ("swap_space", "0.17.1", Default(4)),
        ("swap_space", "0.25.0", None),
        ("max_num_seqs", "0.25.0", Default(None)),  # the engine chooses
        ("enforce_eager", "0.25.0", Default(False)),
        ("hf_overrides", "0.25.0", Default({})),
        ("compilation_config", "0.25.0", None),  # an object: cannot be read
        ("seed", "0.11.2", Default(None)),
        ("seed", "0.12.0", Default(0)),
    ],
)
def test_defaults(flag: str, version: str, expected: Default | None) -> None:
    assert default(flag, version) == expected


def test_the_words_that_a_version_takes() -> None:
    assert "nvfp4" not in choices("kv_cache_dtype", "0.19.0")
    assert "nvfp4" in choices("kv_cache_dtype", "0.20.0")
    assert choices("kv_cache_dtype", "0.33.0") == ()  # any text since
    assert choices("max_model_len", "0.25.0") == ()
    assert choices("performance_mode", "0.10.1.1") == ()


def test_when_a_flag_went() -> None:
    assert removed_in("swap_space") == "0.18.1"
    assert removed_in("max_model_len") is None
    assert removed_in("no_such_flag") is None


def test_another_name_of_a_flag() -> None:
    assert aliased("device_memory_utilization") == "gpu_memory_utilization"
    assert aliased("gpu_memory_utilization") is None


@pytest.mark.parametrize("text", ["", "latest", "0.x", "25.09-py3", "…"])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a version of vLLM"):
        parse_version(text)


@given(st.sampled_from(NAMES), st.sampled_from(VERSIONS))
def test_a_version_that_was_read_is_always_known(flag: str, version: str) -> None:
    record = history().flags[flag]
    there = record.first <= parse_version(version) <= record.last
    assert exists(flag, version) is there
    if not there:
        assert default(flag, version) is None
        assert choices(flag, version) == ()


@given(st.sampled_from(NAMES), st.from_regex(r"0\.[0-9]{1,2}(\.[0-9]{1,2})?", fullmatch=True))
def test_between_two_versions_nothing_is_made_up(flag: str, version: str) -> None:
    asked = parse_version(version)
    below = [known for known in history().versions if known <= asked]
    above = [known for known in history().versions if known >= asked]
    if below and above:
        beside = {exists(flag, str(below[-1])), exists(flag, str(above[0]))}
        assert exists(flag, version) is (beside.pop() if len(beside) == 1 else None)


def test_a_default_is_the_one_of_the_last_change() -> None:
    for name, record in history().flags.items():
        since = [version for version, _ in record.defaults]
        assert since == sorted(since), name
        assert since[0] == record.first, name
        assert since[-1] <= record.last, name


def test_nothing_is_read_before_it_is_asked_for() -> None:
    program = (
        "from sparkwell.engines.vllm import flags, history, texts\n"
        "assert history.history.cache_info().currsize == 0\n"
        "assert texts.texts.cache_info().currsize == 0\n"
        "assert flags.known_names.cache_info().currsize == 0\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


# ── the tool that reads the sources ─────────────────────────────────────────────────────────

CONFIG = """
from typing import Literal
from vllm.config.kinds import Kind
DEFAULT = 4 * 8
@config
class CacheConfig:
    block: int = DEFAULT
    kind: Kind | None = "fast"
    share: float = Field(default={share}, gt=0, le=1)
    names: list[str] = field(default_factory=list)
    secret: str = envs.SECRET
    old: bool = False
    '''[DEPRECATED] Use nothing.'''
"""
ENGINE = """
from vllm.config.cache import CacheConfig
class EngineArgs:
    @staticmethod
    def add_cli_args(parser):
        cache_kwargs = get_kwargs(CacheConfig)
        group = parser.add_argument_group(title="CacheConfig")
        if not sys.argv:
            group.add_argument("--block-size", "-b", **cache_kwargs["block"])
        group.add_argument("--kind", **{{**cache_kwargs["kind"], "default": None}})
        group.add_argument("--memory-share", "--share", **cache_kwargs["share"])
        group.add_argument("--names", **cache_kwargs["names"])
        group.add_argument("--secret", **cache_kwargs["secret"])
        group.add_argument("--old", **cache_kwargs["old"])
        {extra}
        return parser
class AsyncEngineArgs(EngineArgs):
    @staticmethod
    def add_cli_args(parser):
        parser.add_argument("--quiet", action="store_true")
        return parser
"""
SERVER = """
class BaseFrontendArgs:
    chat_template: str | None = None
class FrontendArgs(BaseFrontendArgs):
    port: int = 8000
    middleware: list[str] = field(default_factory=lambda: ["x"])
    @classmethod
    def _customize_cli_kwargs(cls, frontend_kwargs):
        frontend_kwargs["middleware"]["default"] = []
def make_arg_parser(parser):
    parser.add_argument("model_tag", nargs="?")
    parser.add_argument("--headless", action="store_true", default=False)
    parser = FrontendArgs.add_cli_args(parser)
    return parser
"""
KINDS = "from typing import Literal\nKind = Literal['fast', 'slow']\n"


def _release(root: Path, share: float, extra: str = "pass") -> None:
    sources = {
        "config/__init__.py": "",
        "config/kinds.py": KINDS,
        "config/cache.py": CONFIG.format(share=share),
        "engine/arg_utils.py": ENGINE.format(extra=extra),
        "entrypoints/openai/cli_args.py": SERVER,
    }
    for name, text in sources.items():
        path = root / "vllm" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _read(folder: Path) -> subprocess.CompletedProcess[str]:
    tool = Path(__file__).parents[3] / "tools" / "vllm_history.py"
    program = [sys.executable, str(tool), str(folder)]
    return subprocess.run(program, capture_output=True, text=True, timeout=60, check=False)


def test_the_tool_reads_flags_and_defaults_without_importing(tmp_path: Path) -> None:
    _release(tmp_path / "0.9.0", 0.8, 'group.add_argument("--gone", type=int, default=3)')
    _release(tmp_path / "0.10.0", 0.9)
    done = _read(tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["versions"] == ["0.9.0", "0.10.0"]
    flags = found["flags"]
    assert flags["memory_share"] == {
        "first": "0.9.0",
        "last": "0.10.0",
        "aliases": ["share"],
        "defaults": [["0.9.0", 0.8], ["0.10.0", 0.9]],
    }
    assert flags["gone"] == {"first": "0.9.0", "last": "0.9.0", "defaults": [["0.9.0", 3]]}
    assert flags["kind"]["defaults"] == [["0.9.0", None]]
    assert flags["kind"]["choices"] == [["0.9.0", ["fast", "slow"]]]
    assert flags["old"]["deprecated"] == "0.9.0"
    assert flags["secret"]["defaults"] == [["0.9.0"]]  # from the environment: not read
    rest = ("block_size", "names", "quiet", "headless", "port", "middleware", "chat_template")
    assert [flags[name]["defaults"][0][1:] for name in rest] == [
        [32],
        [[]],
        [False],
        [False],
        [8000],
        [[]],
        [None],
    ]
    assert len(flags) == 12


def test_the_tool_refuses_what_comes_and_goes_and_comes_again(tmp_path: Path) -> None:
    again = 'group.add_argument("--gone")'
    for version, extra in (("0.1", again), ("0.2", "pass"), ("0.3", again)):
        _release(tmp_path / version, 0.9, extra)
    done = _read(tmp_path)
    assert done.returncode != 0
    assert "gone comes, goes and comes again" in done.stderr

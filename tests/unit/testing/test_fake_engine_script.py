"""Reading the command line and the script."""

import pytest

from sparkwell.core.phases import Phase
from sparkwell.testing.fake_engine.arguments import engine_arguments, split_flags
from sparkwell.testing.fake_engine.reading import read_script
from sparkwell.testing.fake_engine.script import Script, ScriptError


def script(*argv: str, env: str | None = None) -> Script:
    return read_script(split_flags(argv), env)


def test_vllm_flags_are_read_and_others_kept() -> None:
    argv = "serve org/m --served-model-name a b --served-model-name=c --uds /run/x --seed -1 -tp 2"
    arguments = engine_arguments(split_flags([*argv.split(), "--max_model_len", "4096"]))
    assert arguments.model == "org/m"
    assert arguments.served_names == ("a", "b", "c")
    assert arguments.address == "unix:/run/x"
    assert arguments.max_model_len == 4096
    assert arguments.given["seed"] == "-1"
    assert arguments.given["tp"] == "2"


def test_defaults_are_vllms() -> None:
    arguments = engine_arguments(split_flags(["--model", "org/m", "--enforce-eager"]))
    assert arguments.served_names == ("org/m",)
    assert arguments.address == "http://0.0.0.0:8000"
    assert arguments.enforce_eager


def test_script_fields_do_not_show_in_vllms_log() -> None:
    assert "fake_shards" not in engine_arguments(split_flags(["--fake-shards", "2"])).given


def test_flags_win_over_the_environment() -> None:
    read = script("--fake-shards=2", env='{"shards": 9, "ttft_s": 1, "tokens_per_s": null}')
    assert (read.shards, read.ttft_s, read.tokens_per_s) == (2, 1.0, None)


def test_phases_from_flags() -> None:
    read = script("--fake-phases", "weights=0.5", "warm-up=1", "--fake-never-ready")
    assert read.duration(Phase.WEIGHTS) == 0.5
    assert read.duration(Phase.WARMUP) == 1
    assert read.duration(Phase.COMPILE) == 0
    assert read.never_ready


def test_booleans_can_be_taken_back() -> None:
    assert not script("--fake-never-ready=false", env='{"never_ready": true}').never_ready


@pytest.mark.parametrize(
    "env",
    [
        "{",
        "[]",
        '{"speed": 1}',
        '{"shards": "many"}',
        '{"phases": {"boiling": 1}}',
        '{"phases": 3}',
        '{"fail_at_phase": "boiling"}',
        '{"style": "9.9"}',
        '{"die_at_phase": "boiling"}',
        '{"fail_first": 2}',
    ],
)
def test_nonsense_is_refused(env: str) -> None:
    with pytest.raises(ScriptError):
        script(env=env)

"""What a log says of its engine."""

from tests.unit.checks.diagnosis.ask import of_log

from sparkwell.checks.diagnosis.platform.said import (
    checkpoint_of,
    quantization_given,
    quantization_of,
    version_of,
)
from sparkwell.checks.logs.parts import LogDigest
from sparkwell.checks.run_parts import Run
from sparkwell.checks.snapshot import Snapshot

CONFIG = (
    "(EngineCore pid=7) INFO 07-21 09:14:20 [core.py:114] Initializing a V1 LLM engine (v0.24.0) "
    "with config: model='{model}', dtype=torch.bfloat16, quantization={method}, seed=0"
)


def _log(model: str = "a/b", method: str = "fp8") -> LogDigest:
    logs = of_log(CONFIG.format(model=model, method=method)).logs
    assert logs
    return logs[0]


def test_the_configuration_has_version_checkpoint_and_format() -> None:
    log = _log()
    assert (version_of(log), checkpoint_of(log), quantization_of(log)) == ("0.24.0", "a/b", "fp8")


def test_a_folder_of_the_cache_is_a_repository() -> None:
    folder = "/opt/hf/hub/models--Qwen--Qwen3-8B-FP8/snapshots/0123abc"
    assert checkpoint_of(_log(folder)) == "Qwen/Qwen3-8B-FP8"


def test_the_format_given_is_another_thing_than_the_one_taken() -> None:
    snapshot = of_log(
        "INFO [utils.py:326] non-default args: {'model': 'a/b', 'quantization': 'awq'}"
    )
    [log] = snapshot.logs or ()
    assert (quantization_given(log), quantization_of(log)) == ("awq", None)


def test_where_the_log_has_no_version_its_run_may() -> None:
    log = LogDigest("r1", instance="r1")
    run = Run("r1", "m", "failed", engine_version="0.19.0")
    assert version_of(log) is None
    assert version_of(log, Snapshot(0.0, "test", runs=(run,))) == "0.19.0"

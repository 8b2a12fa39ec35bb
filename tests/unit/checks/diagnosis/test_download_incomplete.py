"""Weights that are not whole."""

import pytest
from tests.unit.checks.diagnosis.ask import asked

from sparkwell.checks.diagnosis.downloads.incomplete import CHECK
from sparkwell.checks.model_parts import Partial, Weights
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Severity

SHARDS = "Loading safetensors checkpoint shards:  {}% Completed | {}/7 [01:27<01:56, 29.10s/it]\n"
HEADER = "safetensors_rust.SafetensorError: Error while deserializing header: {}"


@pytest.mark.parametrize(
    "words", ["incomplete metadata, file not fully covered", "MetadataIncompleteBuffer",
              "header too large"],
)  # fmt: skip
def test_it_says_how_far_it_came(words: str) -> None:
    [finding] = asked(CHECK, SHARDS.format(14, 1) + SHARDS.format(43, 3) + HEADER.format(words))
    assert "43% Completed" in finding.evidence[0]
    assert words in finding.evidence[1]
    assert finding.remedies[0].command == "sparkwell pull MODEL"


def test_a_configuration_that_is_cut_off() -> None:
    line = "OSError: It looks like the config file at '/m/config.json' is not a valid JSON file."
    assert asked(CHECK, line)


def test_a_shard_that_is_missing() -> None:
    path = "/m/model-00003-of-00007.safetensors"
    assert asked(CHECK, f'FileNotFoundError: No such file or directory: "{path}"')


def test_a_folder_that_is_not_there() -> None:
    line = "HFValidationError: Repo id must be in the form 'repo_name' or 'a/b': '/models/nowhere'."
    [finding] = asked(CHECK, line)
    assert finding.title == "The folder /models/nowhere is not there, or has no config.json"


@pytest.mark.parametrize(
    "log",
    [
        SHARDS.format(43, 3),  # it may go on
        "FileNotFoundError: [Errno 2] No such file or directory: '/chat_template.jinja'",
    ],
)
def test_a_start_that_loads_and_other_files_are_well(log: str) -> None:
    assert asked(CHECK, log) == []


BLOB = "/opt/hf/hub/models--Qwen--Qwen3-8B-FP8/blobs/0af3.incomplete"


def test_unfinished_files_are_told_by_repository() -> None:
    partial = Partial(BLOB, 4_000_000_000, age_s=3600.0, resumable=True)
    [finding] = CHECK.look(Snapshot(0.0, "test", partials=(partial,)))
    assert (finding.about, finding.severity) == ("Qwen/Qwen3-8B-FP8", Severity.INFO)
    assert finding.remedies[0].command == "sparkwell pull hf:Qwen/Qwen3-8B-FP8"


def test_what_the_check_before_a_start_tells_is_not_told_twice() -> None:
    partial = Partial(BLOB, 4_000_000_000, age_s=3600.0, resumable=True)
    weights = Weights(None, 9, 9, partials=(partial,))
    assert list(CHECK.look(Snapshot(0.0, "test", weights=weights, partials=(partial,)))) == []

"""In what two runs differ."""

from typing import Any

from tests.unit.bench.test_report import whole

from sparkwell.bench.differences import NOT_KNOWN, NOT_SET, differences

FLAGS = {"max_num_seqs": 64, "enable_prefix_caching": True}


def run(**changes: Any) -> dict[str, Any]:
    return {**whole(), "flags": FLAGS, **changes}


def test_a_run_differs_in_nothing_from_itself() -> None:
    assert differences(run(), run()) == []


def test_flags_are_named_with_both_values() -> None:
    other = run(flags={"max_num_seqs": 256, "enable_prefix_caching": True, "seed": 1})
    assert differences(run(), other) == [("max_num_seqs", "64", "256"), ("seed", NOT_SET, "1")]
    assert differences(other, run())[1] == ("seed", "1", NOT_SET)


def test_flags_that_are_not_known_are_not_the_same() -> None:
    assert differences(run(flags=None), run(flags=None)) == []
    [found] = differences(run(flags=None), run())
    assert found == ("flags", NOT_KNOWN, "max_num_seqs=64 enable_prefix_caching=True")


def test_what_else_was_another_is_told_first() -> None:
    versions = {"engine": "vllm", "engine_version": "0.25.0"}
    other = run(model="n", versions=versions, machine={"name": "y", "title": "Y"}, prompts="text")
    assert differences(run(), other) == [
        ("model", "m", "n"),
        ("engine", NOT_KNOWN, "vllm 0.25.0"),
        ("machine", "x", "Y"),
        ("prompts", "token ids", "text"),
    ]


def test_a_run_of_an_earlier_version_was_of_token_ids() -> None:
    old = run()
    del old["prompts"]
    assert differences(old, run()) == []


def test_machines_of_one_name_differ_in_gpus_and_memory() -> None:
    one, other = (
        run(machine={"title": "host", "gpus": gpus, "total_bytes": size * 2**30})
        for gpus, size in ((1, 24), (8, 64))
    )
    assert differences(one, other) == [("GPUs", "1", "8"), ("memory", "24 GiB", "64 GiB")]


def test_an_engine_asked_itself_is_told_from_one_behind_the_gateway() -> None:
    gateway, direct = run(url="http://127.0.0.1:8000"), run(url="unix:/run/engine.sock")
    [found] = differences(gateway, direct)
    assert found == ("asked at", "an HTTP endpoint", "the engine itself")

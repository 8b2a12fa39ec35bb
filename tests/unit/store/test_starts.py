"""What starts took: made into records, kept, found again, and read beside a daemon."""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from sparkwell.app.planning.spent import cache_bytes
from sparkwell.catalog import Recipe, load_catalog
from sparkwell.core.launch import Endpoint, LaunchSpec
from sparkwell.core.units import GIB
from sparkwell.engines.vllm import rules_for
from sparkwell.hardware.description import find_machine
from sparkwell.planner.kv import cache_tokens
from sparkwell.planner.settings import Settings
from sparkwell.store import StartRecord, Starts, open_database, reading
from sparkwell.store.record import engine_key, machine_key, memory_flags, start_record
from sparkwell.store.starts import KEPT_ALIKE

RECORD = StartRecord(
    instance="m-1",
    machine="h100-80gb, 79.2 GiB",
    total_bytes=79 * GIB,
    model="m",
    repo="org/m",
    revision=None,
    engine="vllm",
    engine_version="0.25.0",
    device="cuda",
    flags='{"max_num_seqs":64}',
    weights_bytes=9 * GIB,
    kv_cache_bytes=60 * GIB,
    kv_cache_tokens=440_000,
    graphs_bytes=None,
    at=1.5,
)
KIND = ("h100-80gb, 79.2 GiB", "m", "vllm", "0.25.0")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "sparkwell.db"


@pytest.fixture
def starts(file: Path) -> Iterator[Starts]:
    with closing(open_database(file)) as connection:
        yield Starts(connection)


# ── keeping and finding ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("warm", "from_metrics"), [(None, False), (True, True), (False, True)])
def test_what_was_stored_comes_back(starts: Starts, warm: bool | None, from_metrics: bool) -> None:
    record = replace(RECORD, warm=warm, from_metrics=from_metrics)
    starts.add(record)
    assert starts.like(*KIND) == (record,)
    assert starts.like(*KIND, RECORD.flags) == (record,)
    assert record.flag_values == {"max_num_seqs": 64}


def test_the_newest_comes_first(starts: Starts) -> None:
    for number in range(3):
        starts.add(replace(RECORD, instance=f"m-{number}"))
    assert [found.instance for found in starts.like(*KIND)] == ["m-2", "m-1", "m-0"]


@pytest.mark.parametrize(
    "change",
    [
        {"machine": "dgx-spark, 121.7 GiB"},
        {"model": "n"},
        {"engine": "ollama"},
        {"engine_version": "0.26.0"},
    ],
    ids=str,
)
def test_other_kinds_are_told_apart(starts: Starts, change: dict[str, str]) -> None:
    starts.add(replace(RECORD, **change))  # type: ignore[arg-type]
    assert starts.like(*KIND) == ()


def test_flags_are_told_apart_where_they_are_asked_for(starts: Starts) -> None:
    starts.add(RECORD)
    assert starts.like(*KIND, "{}") == ()
    assert len(starts.like(*KIND)) == 1


def test_one_start_is_stored_once(starts: Starts) -> None:
    """A daemon that adopts it hears the same again, or less of it."""
    starts.add(RECORD)
    starts.add(replace(RECORD, weights_bytes=None, at=9.0))
    assert starts.like(*KIND) == (RECORD,)


def test_only_the_newest_of_a_kind_are_kept(starts: Starts) -> None:
    other = replace(RECORD, instance="other", flags="{}")
    starts.add(other)
    for number in range(KEPT_ALIKE + 3):
        starts.add(replace(RECORD, instance=f"m-{number}"))
    kept = starts.like(*KIND, RECORD.flags)
    assert len(kept) == KEPT_ALIKE
    assert kept[-1].instance == "m-3"
    assert starts.like(*KIND, "{}") == (other,)


def test_starts_that_all_differ_are_forgotten_too(
    starts: Starts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sparkwell.store.starts.KEPT_IN_ALL", 4)
    for number in range(6):
        flags = json.dumps({"max_num_seqs": number})
        starts.add(replace(RECORD, instance=f"m-{number}", flags=flags))
    assert [found.instance for found in starts.like(*KIND)] == ["m-5", "m-4", "m-3", "m-2"]


def test_a_start_that_cannot_be_written_does_not_block_the_next(starts: Starts) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        starts.add(replace(RECORD, total_bytes=0))
    starts.add(RECORD)
    assert starts.like(*KIND) == (RECORD,)


# ── reading without a daemon ────────────────────────────────────────────────────────────────


def beside(file: Path) -> list[str]:
    return sorted(path.name for path in file.parent.iterdir())


def test_a_missing_file_stays_missing(file: Path) -> None:
    with reading(file) as database:
        assert database is None
    assert beside(file) == []


def test_reading_leaves_nothing_behind(file: Path) -> None:
    with closing(open_database(file)) as connection:
        Starts(connection).add(RECORD)
    before = file.read_bytes()
    with reading(file) as database:
        assert database is not None
        assert Starts(database).like(*KIND) == (RECORD,)
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            Starts(database).add(replace(RECORD, instance="m-2"))
    assert beside(file) == ["sparkwell.db"]
    assert file.read_bytes() == before


def test_reading_beside_a_daemon_sees_what_it_has_just_stored(file: Path) -> None:
    with closing(open_database(file)) as connection:
        Starts(connection).add(RECORD)
        connection.execute("BEGIN IMMEDIATE")  # it is writing again
        with reading(file) as database:
            assert database is not None
            assert Starts(database).like(*KIND) == (RECORD,)


@pytest.mark.parametrize("version", [0, 1, 99])
def test_another_schema_is_no_history(file: Path, version: int) -> None:
    with closing(sqlite3.connect(file)) as other:
        other.execute(f"PRAGMA user_version = {version}")
    with reading(file) as database:
        assert database is None


def test_a_path_with_signs_that_mean_something_in_an_address(tmp_path: Path) -> None:
    file = tmp_path / "a?mode=rwc&b#c %41.db"
    open_database(file).close()
    with reading(file) as database:
        assert database is not None


def test_a_broken_file_is_said_as_such(file: Path) -> None:
    file.write_bytes(b"this is no database" * 100)
    with pytest.raises(sqlite3.DatabaseError), reading(file):
        pytest.fail("there is nothing to read")


# ── from a start's figures to a record ──────────────────────────────────────────────────────

FLAGS = {"max_num_seqs": 64, "enable_prefix_caching": True, "gpu_memory_utilization": 0.9}
FACTS = {
    "weights_gib": 8.83,
    "kv_cache_gib": 60.66,
    "kv_cache_tokens": 441_664.0,
    "graphs_gib": 0.39,
    "compile_s": 34.48,
}


def spec(labels: Mapping[str, str] | None = None) -> LaunchSpec:
    given = {"device": "cuda", "flags": json.dumps(FLAGS)} if labels is None else labels
    endpoint = Endpoint(port=1)
    return LaunchSpec("q-1", "qwen3-8b-fp8", "vllm", "0.25.0+cu130", (), endpoint, labels=given)


def recipe() -> Recipe:
    return load_catalog().get("qwen3-8b-fp8")


def record_of(facts: Mapping[str, float]) -> StartRecord:
    record = start_record(spec(), facts, find_machine("h100-80gb"), recipe(), 5.0)
    assert record is not None
    return record


def test_a_record_says_where_what_and_how_much() -> None:
    assert record_of(FACTS) == StartRecord(
        instance="q-1",
        machine="h100-80gb, 79.2 GiB",
        total_bytes=85_017_493_504,
        model="qwen3-8b-fp8",
        repo="Qwen/Qwen3-8B-FP8",
        revision=None,
        engine="vllm",
        engine_version="0.25.0",
        device="cuda",
        flags='{"gpu_memory_utilization":0.9,"max_num_seqs":64}',
        weights_bytes=round(8.83 * GIB),
        kv_cache_bytes=round(60.66 * GIB),
        kv_cache_tokens=441_664,
        graphs_bytes=round(0.39 * GIB),
        at=5.0,
        warm=False,
        from_metrics=False,
    )


def test_blocks_are_exact_and_win_over_the_log() -> None:
    record = record_of(
        {**FACTS, "kv_cache_tokens": 441_600.0, "gpu_blocks": 27_604, "block_tokens": 16}
    )
    assert (record.kv_cache_tokens, record.from_metrics) == (441_664, True)


def test_the_blocks_of_two_engines_are_not_those_of_one() -> None:
    record = record_of({**FACTS, "gpu_blocks": 2 * 27_604, "block_tokens": 16})
    assert (record.kv_cache_tokens, record.from_metrics) == (441_664, False)


def test_metrics_alone_are_something() -> None:
    record = record_of({"gpu_blocks": 8192, "block_tokens": 128})
    assert (record.kv_cache_tokens, record.from_metrics) == (1_048_576, True)
    assert (record.weights_bytes, record.kv_cache_bytes, record.warm) == (None, None, None)


def test_compiled_code_of_an_earlier_start_is_noted() -> None:
    assert record_of({**FACTS, "compile_cache_s": 1.997}).warm is True


@pytest.mark.parametrize("labels", [None, {"device": "cuda"}], ids=["no figures", "no flags"])
def test_a_start_that_says_nothing_is_no_record(labels: dict[str, str] | None) -> None:
    facts = {"load_s": 3.0} if labels is None else FACTS
    machine = find_machine("h100-80gb")
    assert start_record(spec(labels), facts, machine, recipe(), 5.0) is None


def test_a_model_that_the_catalog_no_longer_has() -> None:
    record = start_record(spec(), FACTS, find_machine("h100-80gb"), None, 5.0)
    assert record is not None
    assert (record.model, record.repo) == ("qwen3-8b-fp8", None)


def test_flags_in_any_order_are_the_same_and_those_without_memory_left_out() -> None:
    assert memory_flags({"max_num_seqs": 1, "block_size": 32}) == (
        memory_flags({"seed": 7, "block_size": 32, "max_num_seqs": 1})
    )


def test_a_machine_is_its_name_and_memory_a_few_pages_more_or_less() -> None:
    spark = find_machine("dgx-spark")
    assert machine_key(spark) == "dgx-spark, 121.7 GiB"
    assert machine_key(replace(spark, total_bytes=spark.total_bytes - 4096)) == machine_key(spark)
    assert machine_key(replace(spark, total_bytes=round(119.67 * GIB))) != machine_key(spark)


@pytest.mark.parametrize(
    ("version", "key"),
    [("0.25.0", "0.25.0"), ("0.10.1.1+381074ae.nv25.09", "0.10.1.1"), ("nightly", "nightly")],
)
def test_a_version_is_named_as_the_rules_name_it(version: str, key: str) -> None:
    assert engine_key(version) == key


# ── bytes of the KV cache ───────────────────────────────────────────────────────────────────

PER_TOKEN = 147_456
SETTINGS = Settings(0.9, 32_768, 16_384, 64, "bf16", 16, 40_960)


def bytes_of(version: str = "0.25.0", longest: int = 32_768, **changes: object) -> int | None:
    record = replace(RECORD, kv_cache_bytes=None)
    record = replace(record, **changes)  # type: ignore[arg-type]
    settings = replace(SETTINGS, max_model_len=longest)
    return cache_bytes(record, settings, PER_TOKEN, rules_for(version))


def test_tokens_are_bytes_to_the_block() -> None:
    exact = 441_664 * PER_TOKEN
    assert bytes_of(kv_cache_tokens=441_664) == exact
    assert bytes_of(kv_cache_tokens=441_664, kv_cache_bytes=round(60.66 * GIB)) == exact


@pytest.mark.parametrize("longest", [1000, 8192, 32_760, 40_961])
@pytest.mark.parametrize("blocks", [2561, 27_604, 27_605])
@pytest.mark.parametrize("version", ["0.10.1.1", "0.25.0"])
def test_blocks_are_found_from_the_tokens_that_a_version_shows(
    version: str, blocks: int, longest: int
) -> None:
    shown = cache_tokens(blocks, 16, longest, rules_for(version).tokens_round)
    assert bytes_of(version, longest, kv_cache_tokens=shown) == blocks * 16 * PER_TOKEN


def test_where_blocks_and_log_contradict_each_other_the_log_is_right() -> None:
    """An engine whose layers do not all keep every token, say."""
    logged = 30 * GIB
    assert bytes_of(kv_cache_tokens=441_664, kv_cache_bytes=logged) == logged


def test_the_log_alone_is_taken_as_it_is() -> None:
    assert bytes_of(kv_cache_tokens=None, kv_cache_bytes=60 * GIB) == 60 * GIB
    assert bytes_of(kv_cache_tokens=None, kv_cache_bytes=None) is None

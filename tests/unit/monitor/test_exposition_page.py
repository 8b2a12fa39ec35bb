"""Engines' pages become one that a Prometheus takes, whatever the engines said."""

import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from sparkwell.monitor.exposition_page import KV_NAMES, EnginePage, merged

RECORDED = sorted((Path(__file__).parents[2] / "data" / "metrics").glob("*.txt"))
PAGE = """\
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="m"} 2.0
# HELP vllm:time_to_first_token_seconds Histogram.
# TYPE vllm:time_to_first_token_seconds histogram
vllm:time_to_first_token_seconds_bucket{engine="0",le="1.0",model_name="m"} 3.0
vllm:time_to_first_token_seconds_bucket{engine="0",le="+Inf",model_name="m"} 4.0
vllm:time_to_first_token_seconds_count{engine="0",model_name="m"} 4.0
vllm:time_to_first_token_seconds_sum{engine="0",model_name="m"} 5.5
# HELP vllm:kv_cache_usage_perc KV-cache usage. 1 means 100 percent usage.
# TYPE vllm:kv_cache_usage_perc gauge
vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.25
# HELP python_info Python platform information
# TYPE python_info gauge
python_info{version="3.11"} 1.0
"""

Labels = tuple[tuple[str, str], ...]


def samples(text: str) -> dict[tuple[str, Labels], str]:
    """Every sample as a reader of the format understands it; fails on a series that is there twice.

    The values as texts, so that NaN is like NaN.
    """
    found: dict[tuple[str, Labels], str] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in found, key
            found[key] = repr(float(sample.value))
    return found


def labelled(labels: Labels, **more: str) -> Labels:
    return tuple(sorted({**dict(labels), **more}.items()))


def of_vllm(text: str, model: str) -> Mapping[tuple[str, Labels], str]:
    return {
        (name, labelled(labels, model=model)): value
        for (name, labels), value in samples(text).items()
        if name.startswith("vllm:")
    }


def test_a_page_gets_the_models_label_and_keeps_the_rest() -> None:
    page = merged([EnginePage("qwen3-8b-fp8", PAGE)])
    added = {
        ("vllm:gpu_cache_usage_perc", labels): value
        for (name, labels), value in of_vllm(PAGE, "qwen3-8b-fp8").items()
        if name == "vllm:kv_cache_usage_perc"
    }
    assert samples(page) == {**of_vllm(PAGE, "qwen3-8b-fp8"), **added}
    line = 'vllm:num_requests_running{model="qwen3-8b-fp8",engine="0",model_name="m"} 2.0'
    assert line in page.splitlines()  # the value too as it was


@pytest.mark.parametrize("file", RECORDED, ids=lambda file: file.stem)
def test_pages_of_every_version_come_whole(file: Path) -> None:
    text = file.read_text()
    told = samples(merged([EnginePage("m", text)]))
    expected = of_vllm(text, "m")
    assert len(expected) > 20
    assert {key: told[key] for key in expected} == expected
    assert {key[0] for key in told.keys() - expected.keys()} <= set(KV_NAMES)
    values = {name: [told[key] for key in told if key[0] == name] for name in KV_NAMES}
    assert values[KV_NAMES[0]] == values[KV_NAMES[1]] != []


def test_there_are_pages_to_try() -> None:
    assert any("recorded" in file.name for file in RECORDED)


def test_the_greps_of_the_guides_find_their_lines() -> None:
    lines = merged([EnginePage("m", PAGE)]).splitlines()
    for word in ("num_requests_running", "gpu_cache_usage_perc", "cache_usage"):
        assert [line for line in lines if word in line and not line.startswith("#")]


def test_of_two_engines_each_metric_is_described_once_and_stays_together() -> None:
    old = PAGE.replace("kv_cache_usage_perc", "gpu_cache_usage_perc").replace(
        "Number of requests in", "Other words for"
    )
    page = merged([EnginePage("a", PAGE), EnginePage("b", old)])
    comments = [line for line in page.splitlines() if line.startswith("#")]
    assert len(comments) == len({tuple(line.split()[:3]) for line in comments})
    assert "Other words for" not in page
    runs: list[str] = []
    for line in page.splitlines():
        name = line.split()[2] if line.startswith("#") else line.partition("{")[0]
        family = name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count")
        if not runs or runs[-1] != family:
            runs.append(family)
    assert len(runs) == len(set(runs)) == 4
    told = samples(page)
    for name in KV_NAMES:
        models = {dict(labels)["model"] for told_name, labels in told if told_name == name}
        assert models == {"a", "b"}


def test_an_engine_that_tells_both_names_is_believed() -> None:
    both = PAGE + 'vllm:gpu_cache_usage_perc{engine="0",model_name="m"} 0.75\n'
    told = samples(merged([EnginePage("m", both)]))
    assert [v for (name, _), v in sorted(told.items()) if name in KV_NAMES] == ["0.75", "0.25"]


BAD = [
    "<html><body>502 Bad Gateway</body></html>",
    "<script>alert(1)</script>",
    'vllm:x{a="<b>} 1',
    "vllm:x",
    "vllm:x one",
    "vllm:x 1 2 3",
    "vllm:x 1e999",
    "vllm:x 0x10",
    "vllm:x 1_000",
    "vllm:x \u0661",
    "vllm:x{a=1} 1",
    "vllm:x{a='1'} 1",
    'vllm:x{a="1",a="2"} 1',
    'vllm:x{__name__="y"} 1',
    'vllm:x{model="a",exported_model="b"} 1',
    r'vllm:x{a="\t"} 1',
    'vllm:x{a="\x00"} 1',
    'vllm:x{é="1"} 1',
    "vllm:é 1",
    "vllm-x 1",
    "process_cpu_seconds_total 1.0",
    "# HELP vllm:num_requests_running <img src=x>",
    "# TYPE vllm:num_requests_running gadget",
    "# EOF",
    "",
    "}{",
]


@pytest.mark.parametrize("line", BAD)
def test_a_line_that_is_no_sample_is_left_out(line: str) -> None:
    page = f"{line}\nvllm:good 1\n{line}\n"
    assert merged([EnginePage("m", page)]) == 'vllm:good{model="m"} 1\n'


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("vllm:x 1", 'vllm:x{model="m"} 1'),
        ("vllm:x{} 1", 'vllm:x{model="m"} 1'),
        ("vllm:x NaN", 'vllm:x{model="m"} NaN'),
        ("vllm:x -Inf", 'vllm:x{model="m"} -Inf'),
        ("vllm:x 1.5e-07", 'vllm:x{model="m"} 1.5e-07'),
        ("vllm:x 1 1700000000000", 'vllm:x{model="m"} 1'),
        ("vllm:x 1\r", 'vllm:x{model="m"} 1'),
        ('vllm:x{a="1",} 1', 'vllm:x{model="m",a="1"} 1'),
        ('vllm:x{a="}\\" ,b="} 1', 'vllm:x{model="m",a="}\\" ,b="} 1'),
        ('vllm:x{a=",model=",b="é\u2028"} 1', 'vllm:x{model="m",a=",model=",b="é\u2028"} 1'),
        ('vllm:x{model="own"} 1', 'vllm:x{model="m",exported_model="own"} 1'),
    ],
)
def test_odd_lines_that_are_samples(line: str, told: str) -> None:
    assert merged([EnginePage("m", line + "\n")]) == told + "\n"


def test_a_last_line_that_was_cut_off_is_not_believed() -> None:
    page = "vllm:a 1\nvllm:b 12"
    assert merged([EnginePage("m", page)]) == 'vllm:a{model="m"} 1\n'


@pytest.mark.parametrize(
    ("text", "ok"),
    [
        (None, False),
        ("", False),
        ("<html></html>\n", False),
        ("python_info 1\n", False),
        ("vllm:a 1", False),
        (PAGE, True),
    ],
)
def test_a_page_is_well_when_it_has_samples(text: str | None, ok: bool) -> None:
    assert EnginePage("m", text).ok is ok


def test_a_name_with_quotes_stays_a_label() -> None:
    model = 'a"} 1\nvllm:evil{x="\\<script>'
    page = merged([EnginePage(model, "vllm:a 1\n")])
    assert page.count("\n") == 1
    assert list(samples(page)) == [("vllm:a", (("model", model),))]


PIECES = st.sampled_from(
    [*BAD, *PAGE.splitlines(), "vllm:", "{", "}", '"', "\\", "\n", "\r", ",", " ", "1", "e9", "#"]
)


@settings(deadline=None)
@given(st.lists(PIECES | st.text(max_size=5), max_size=30), st.text(max_size=20))
def test_whatever_an_engine_says_the_page_can_be_read(pieces: list[str], model: str) -> None:
    text = "".join(pieces) + "\n"
    page = merged([EnginePage(model, text), EnginePage(model + "2", PAGE)])
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            assert sample.name.startswith("vllm:")
            assert sample.labels["model"] in (model, model + "2")


@pytest.mark.parametrize(
    "line",
    [
        "vllm:" + "a{" * 20,
        "vllm:a{" + 'a="b",' * 20,
        'vllm:a{x="' + "\\\\" * 20,
        'vllm:a{x="' + 'b",x="' * 20,
        "vllm:a " + "1" * 30 + "x",
        "# HELP vllm:" + "a" * 60,
    ],
)
def test_ten_times_as_much_takes_ten_times_as_long(line: str) -> None:
    def spent_s(times: int) -> float:
        text = "\n".join([line * times, "", (line + "\n") * times])
        began = time.process_time()
        merged([EnginePage("m", text)])
        return time.process_time() - began

    small = min(spent_s(1000) for _ in range(3))
    assert min(spent_s(10_000) for _ in range(3)) < 40 * small + 0.01

"""Signs of life in /metrics; the lines are vLLM 0.25's and 0.32's."""

from hypothesis import given
from hypothesis import strategies as st

from sparkwell.engines.vllm.progress import Progress, read_progress

LABELS = '{engine="0",model_name="m"}'


def metrics(tokens: float, running: float = 1.0, usage: float = 0.25) -> str:
    return f"""\
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{LABELS} {running}
vllm:num_requests_waiting{LABELS} 2.0
vllm:num_requests_waiting_by_reason{{engine="0",reason="capacity"}} 2.0
vllm:kv_cache_usage_perc{LABELS} {usage}
vllm:prompt_tokens_total{LABELS} 7.0
vllm:generation_tokens_total{LABELS} {tokens}
vllm:generation_tokens_created{LABELS} 1.8e+09
vllm:request_success_total{{engine="0",finished_reason="stop",model_name="m"}} 1.0
vllm:request_success_total{{engine="0",finished_reason="length",model_name="m"}} 2.0
"""


def test_what_runs_and_waits_is_counted() -> None:
    assert read_progress(metrics(12)) == Progress((12.0, 7.0, 3.0, 0.25), 3)


def test_a_token_moves_it_and_a_prompt_that_is_read_in_chunks() -> None:
    still = read_progress(metrics(12))
    assert still == read_progress(metrics(12))
    assert still != read_progress(metrics(13))
    assert still != read_progress(metrics(12, usage=0.3))


def test_requests_that_come_are_no_progress() -> None:
    one, two = read_progress(metrics(12, running=1.0)), read_progress(metrics(12, running=2.0))
    assert one
    assert two
    assert one.mark == two.mark


def test_several_engines_are_added_up() -> None:
    text = 'vllm:generation_tokens_total{engine="0"} 2.0\n'
    both = text + 'vllm:generation_tokens_total{engine="1"} 3.0\n'
    assert read_progress(both) == Progress((5.0,), 0)


def test_no_counters_are_unknown() -> None:
    assert read_progress("") is None
    assert read_progress("vllm:num_requests_running 1.0") is None
    assert read_progress("vllm:generation_tokens_total nan\nvllm:prompt_tokens_total x") is None


@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    read_progress(f"vllm:generation_tokens_total{{{text}\n{text}")

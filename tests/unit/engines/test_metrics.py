"""Figures of the KV cache in /metrics; the long line is one of vLLM 0.32.0's (CPU build)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkwell.engines.vllm.metrics import CacheConfig, read_cache_config, read_metrics

RECORDED = """\
# HELP vllm:cache_config_info Information of the LLMEngine CacheConfig
# TYPE vllm:cache_config_info gauge
vllm:cache_config_info{_block_size_resolved="True",block_size="128",cache_dtype="auto",\
cache_hit_alignment_tokens="None",effective_attention_block_size="128",\
enable_mamba_shared_prefix_checkpoint="False",enable_prefix_caching="True",engine="0",\
gpu_memory_utilization="0.92",hash_block_size="None",is_attention_free="False",\
kv_cache_dtype_skip_layers="[]",kv_cache_layout="None",kv_cache_max_concurrency="512.0",\
kv_cache_memory_bytes="1073741824",kv_cache_size_tokens="1048576",\
kv_offloading_backend="native",kv_offloading_size="None",kv_sharing_fast_prefill="False",\
mamba_block_size="None",mamba_cache_dtype="auto",mamba_cache_mode="none",\
mamba_page_size_padded="None",mamba_ssm_cache_dtype="auto",num_cpu_blocks="None",\
num_gpu_blocks="8192",num_gpu_blocks_override="None",prefix_cache_retention_interval="0",\
prefix_caching_hash_algo="sha256",prefix_match_unit="None",replayssm_buffer_len="16",\
skip_page_size_padded="None",sliding_window="None",swa_bounded_replay="True",\
use_kda_recoverssm="False",use_replayssm="False",user_specified_block_size="False"} 1.0
# HELP vllm:corrupted_requests_total Corrupted requests.
vllm:corrupted_requests_total{engine="0",model_name="m"} 0.0
"""


def line(labels: str) -> str:
    return f'vllm:num_requests_running{{engine="0"}} 0.0\nvllm:cache_config_info{{{labels}}} 1.0\n'


def test_a_recorded_answer() -> None:
    assert read_cache_config(RECORDED) == CacheConfig(8192, 128, "auto", 0.92, 1_048_576, 512.0)
    assert read_metrics(RECORDED) == (("gpu_blocks", 8192), ("block_tokens", 128))


def test_before_0_24_the_tokens_are_not_there() -> None:
    found = read_cache_config(line('block_size="16",cache_dtype="fp8",num_gpu_blocks="16960"'))
    assert found == CacheConfig(16960, 16, "fp8")


def test_of_several_engines_the_first() -> None:
    two = line('engine="0",num_gpu_blocks="7"') + line('engine="1",num_gpu_blocks="9"')
    assert read_cache_config(two) == CacheConfig(7)


def test_quotes_and_commas_within_a_value() -> None:
    odd = line(r'a="x,\"num_gpu_blocks=\\",b="num_gpu_blocks=\"1\"",num_gpu_blocks="3"')
    assert read_cache_config(odd) == CacheConfig(3)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# TYPE vllm:cache_config_info gauge",
        'vllm:cache_config_info_created{num_gpu_blocks="1",block_size="16"} 1.0',
        line('block_size="16",num_gpu_blocks="None"'),
        line('num_gpu_blocks="100"'),
        line('block_size="0",num_gpu_blocks="100"'),
        line('block_size="16",num_gpu_blocks="-1"'),
    ],
)
def test_what_is_not_said_is_no_fact(text: str) -> None:
    assert read_metrics(text) == ()


@given(st.text())
def test_whatever_a_port_answers_it_is_no_error(text: str) -> None:
    read_metrics(text)
    read_metrics(line(text))

"""Secrets, and what people asked, do not come into what is kept."""

import time

import pytest

from sparkwell.checks.logs.redact import redact

SECRET = "Zq7Xw9Lm3Kp5Rt8Vb2Nc"
HIDDEN = (
    "token hf_{} is not valid",
    "hf_{}",
    "HF_TOKEN=api_org_{}",
    "HF_TOKEN={} vllm serve m",
    "export HUGGING_FACE_HUB_TOKEN='{}'",
    "{{'model': 'm', 'api_key': ['{}', 'two{}'], 'port': 1}}",
    "{{'model': 'm', 'api_key': '{}'}}",
    "Namespace(host=None, api_key='{}', ssl=None)",
    "EngineArgs(hf_token='{}', x=1)",
    "vllm serve m --api-key {} --port 1",
    "ADMIN_TOKEN: {}",
    "'HUGGINGFACE_TOKEN': '{}'",
    "OPENAI_KEY={} vllm serve m",
    "https://me:a@{}@example.org/x",
    "pydantic: input_value={{'messages': [{{'role': 'user', 'content': '{}'}}]}}",
    'ERROR body {{"model": "m", "content": "tell me {}"}}',
    'ERROR body {{\\"prompt\\": \\"{}\\"}}',
    "vllm serve m --api-key {} two{} --port 1",
    "vllm serve m --api-key={} --port 1",
    "['vllm', 'serve', '--api-key', '{}', '--port']",
    'command: ["--api-key", "{}"]',
    "VLLM_API_KEY={}",
    "OPENAI_API_KEY: {}",
    'env="map[NGC_API_KEY:{} OLLAMA_HOST:x]"',
    "Authorization: Bearer {}",
    "authorization: Basic {}==",
    "{{'authorization': 'Bearer {}'}}",
    "headers: Bearer {}",
    "Cookie: session={}",
    "X-Api-Key: {}",
    "AKIA{}",
    "AWS_SECRET_ACCESS_KEY={}/+a",
    "aws_session_token = {}",
    "proxy http://me:{}@proxy:3128/",
    "https://{}@host/x",
    "GET /x?X-Amz-Signature={}&a=1",
    "GET /v1/models?api_key={} HTTP/1.1",
    "Redis password: {}",
    '{{\\"api_key\\": \\"{}\\"}}',
    '{{"password": "a {}"}}',
    "sk-proj-{}",
    "nvapi-{}",
    "ghp_{}",
    "eyJ{}.eyJ{}.x",
    "Received request cmpl-1: prompt: 'my {}', params: SamplingParams(n=1)",
    "INFO 11-21 10:00:00 [l.py:1] Request cmpl-1 details: prompt: '{}', prompt_token_ids: [1]",
    "Request cmpl-1 JSON body: {{'messages': '{}'}}",
    "Generated response cmpl-1: output: '{}', finish_reason: stop",
    "Generated response cmpl-1 (streaming complete): output: '{}'",
)
KEPT = (
    "EOS_TOKEN: 2, PAD_TOKEN = 151643",
    "'limit_mm_per_prompt': {'image': 1}, 'content_format': 'auto'",
    "max_tokens=16, prompt_token_ids=[1, 2], stop_token_ids=[], tokenizer='m'",
    "GPU KV cache size: 271,360 tokens",
    "api_key=None, hf_token=None, 'api_key': [], 'hf_token': ''",
    "Maximum concurrency for 32,000 tokens per request: 8.48x",
    "Received request cmpl-1: params: SamplingParams(n=1), lora_request: None.",
    "http://127.0.0.1:8000/v1 and tcp://10.0.0.1:29500 at a@b",
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB",
    "401 Client Error: Unauthorized for url: https://huggingface.co/m/resolve/main/config.json",
    "ValueError: the key 'quant_method' is missing",
    'File "huggingface_hub/utils/_http.py", line 409, in hf_raise_for_status',
    "hf_hub_download(hf_overrides={}, hf_transformers=1) and hf_hub_resolver",
    "key_cache, value_cache, num_key_value_heads=8, keys: 3",
)


@pytest.mark.parametrize("text", HIDDEN)
def test_a_secret_is_taken_out(text: str) -> None:
    clean = redact(text.replace("{{", "{").replace("}}", "}").replace("{}", SECRET))
    assert SECRET not in clean
    assert "…" in clean


@pytest.mark.parametrize("text", KEPT)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


def test_what_stands_after_a_secret_stays() -> None:
    text = f"non-default args: {{'api_key': ['{SECRET}'], 'max_model_len': 32000}}"
    assert redact(text) == "non-default args: {'api_key': …, 'max_model_len': 32000}"


@pytest.mark.parametrize(
    "text",
    [
        "api_key=" * 5_000,
        "--api-key " * 5_000,
        "a://" * 10_000,
        "Request " * 5_000,
        "bearer " * 5_000,
        "TOKEN" * 10_000,
        "_" * 50_000 + "key",
        "key" + " " * 50_000,
        "?sig=" * 10_000,
        "'api_key': [" * 4_000,
        "--" * 5_000 + "secret",
        "A" * 50_000 + "_TOKEN=",
    ],
    ids=lambda text: text[:12],
)
def test_no_text_takes_long(text: str) -> None:
    began = time.process_time()
    redact(text)
    assert time.process_time() - began < 2

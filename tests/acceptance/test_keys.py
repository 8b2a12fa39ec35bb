"""Keys with the real command, daemon and gateway: made, limited, counted, revoked, lost."""

import json
import re
import signal
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from openai import AuthenticationError, OpenAI, PermissionDeniedError, RateLimitError, Stream
from openai.types.chat import ChatCompletionChunk

from tests.acceptance.conftest import Home, end, wait_for

MODEL = "demo-qwen3"
Chunks = Stream[ChatCompletionChunk]


def add(home: Home, name: str, *words: str) -> str:
    return home.ok("keys", "add", name, *words).strip()


@contextmanager
def client(home: Home, secret: str) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{home.url}/v1", api_key=secret, max_retries=0) as openai:
        yield openai


def ask(home: Home, secret: str, model: str = MODEL) -> Mapping[str, str]:
    with client(home, secret) as openai:
        raw = openai.chat.completions.with_raw_response
        answer = raw.create(model=model, messages=[{"role": "user", "content": "hello there"}])
        assert "hello there" in (answer.parse().choices[0].message.content or "")
        return answer.headers


def stream(openai: OpenAI) -> Chunks:
    return openai.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "go on"}], max_tokens=200, stream=True
    )


def get(home: Home, path: str, secret: str) -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {secret}"}
    request = urllib.request.Request(f"{home.url}{path}", headers=headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def used(home: Home, name: str) -> dict[str, int]:
    rows: list[dict[str, Any]] = home.json("usage", "--key", name)["usage"]
    fields = ("requests", "errors", "prompt_tokens", "output_tokens", "uncounted")
    return {field: sum(row[field] for row in rows) for field in fields}


def test_the_first_key_shuts_the_door(home: Home) -> None:
    home.ok("up", MODEL)
    ask(home, "not-needed")
    secret = add(home, "bob")
    for wrong in ("not-needed", secret[:-1]):
        with pytest.raises(AuthenticationError) as caught:
            ask(home, wrong)
        assert caught.value.code == "invalid_api_key"
    ask(home, secret)
    home.ok("keys", "revoke", "bob")
    with pytest.raises(AuthenticationError, match="was revoked"):
        ask(home, secret)
    home.ok("keys", "reset", "--yes")
    ask(home, "not-needed")


def test_limits_and_usage_of_a_key(home: Home) -> None:
    home.ok("up", MODEL)
    secret = add(home, "bob", "--models", MODEL, "--rpm", "2", "--tpm", "100000")
    with pytest.raises(PermissionDeniedError, match="is not for 'demo-llama'"):
        ask(home, secret, "demo-llama")
    headers = ask(home, secret)
    assert headers["x-ratelimit-limit-requests"] == "2"
    assert headers["x-ratelimit-remaining-requests"] == "1"
    assert re.fullmatch(r"30s|29\.\d+s", headers["x-ratelimit-reset-requests"])
    assert headers["x-ratelimit-limit-tokens"] == "100000"
    with client(home, secret) as openai:
        assert sum(1 for _ in stream(openai)) > 1
    with pytest.raises(RateLimitError) as caught:
        ask(home, secret)
    answer = caught.value.response
    assert 1 <= int(answer.headers["retry-after"]) <= 30
    assert int(answer.headers["retry-after-ms"]) <= 30_000
    counted = used(home, "bob")
    assert (counted["requests"], counted["errors"], counted["uncounted"]) == (2, 0, 0)
    assert counted["prompt_tokens"] > 1
    assert counted["output_tokens"] > 1
    _, page = get(home, "/metrics", secret)
    counts = re.findall(r"^sparkwell_key_requests_total\{(.*)\} 2\.0$", page, re.MULTILINE)
    assert [sorted(each.split(",")) for each in counts] == [
        ['code="200"', 'key="bob"', f'model="{MODEL}"']
    ]


def test_a_stream_of_a_revoked_key_goes_on_to_its_end(
    home: Home, script: Callable[..., None]
) -> None:
    script(tokens_per_s=20, reply_tokens=60)
    home.ok("up", MODEL)
    bob, _eve = add(home, "bob"), add(home, "eve")
    with client(home, bob) as openai:
        chunks = stream(openai)
        next(chunks)
        home.ok("keys", "revoke", "bob")
        with pytest.raises(AuthenticationError, match="was revoked"):
            ask(home, bob)
        assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1]
    assert used(home, "bob")["requests"] == 1


def test_a_client_that_leaves_gives_its_place_back(home: Home, script: Callable[..., None]) -> None:
    script(tokens_per_s=10, reply_tokens=190)
    home.ok("up", MODEL)
    secret = add(home, "bob", "--concurrency", "1")
    with client(home, secret) as openai:
        chunks = stream(openai)
        next(chunks)
        with client(home, secret) as other, pytest.raises(RateLimitError, match="at a limit"):
            stream(other)
        chunks.close()

    def is_let_in() -> bool:
        try:
            with client(home, secret) as openai:
                stream(openai).close()
        except RateLimitError:
            return False
        return True

    wait_for(is_let_in, 5)


def test_keys_and_usage_outlive_a_daemon_that_is_killed(home: Home) -> None:
    daemon = home.serve()
    home.ok("up", MODEL)
    secret = add(home, "bob")
    ask(home, secret)
    before = used(home, "bob")  # which has it written down
    end(daemon, signal.SIGKILL)
    assert used(home, "bob") == before
    assert [key["name"] for key in home.json("keys", "list")["keys"]] == ["bob"]
    home.serve()
    ask(home, secret)
    assert used(home, "bob")["requests"] == before["requests"] + 1


@pytest.mark.parametrize("harm", ["removed", "broken"])
def test_lost_keys_shut_the_door_for_everybody(home: Home, harm: str) -> None:
    daemon = home.serve()
    secret = add(home, "bob")
    end(daemon)
    if harm == "removed":
        home.paths.store.unlink()
    else:
        home.paths.store.write_bytes(b"this is no database" * 1000)
    home.serve()
    for key in (secret, "not-needed"):
        status, text = get(home, "/v1/models", key)
        assert status in (401, 503)
        assert "keys" in text
    said = home.run("keys", "list")
    assert (said.returncode, "sparkwell keys reset --yes" in said.stderr) == (2, True)
    assert home.json("events", "--kind", "key.lost")["events"]
    home.ok("keys", "reset", "--yes")
    assert get(home, "/v1/models", "not-needed")[0] == 200


def test_json_of_keys_has_no_secret(home: Home) -> None:
    done = json.loads(home.ok("keys", "add", "bob", "--json"))
    assert done["secret"] not in home.ok("keys", "list", "--json")


def test_a_key_for_one_model_hears_of_no_other(home: Home) -> None:
    home.serve()
    page = get(home, "/docs", "")[1]
    assert "Bearer YOUR_KEY" not in page
    secret = home.ok("keys", "add", "bob", "--models", "demo-llama").strip()
    assert "Bearer YOUR_KEY" in get(home, "/docs", secret)[1]
    listed = json.loads(get(home, "/v1/models", secret)[1])["data"]
    assert [each["id"] for each in listed] == ["demo-llama"]
    status, body = get(home, "/v1/models/gpt-4", secret)
    said = json.loads(body)["error"]["message"]
    assert (status, said) == (404, "There is no model 'gpt-4'. There are: demo-llama.")

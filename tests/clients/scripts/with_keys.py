"""What clients see of keys: CLIENT_KEY is good, CLIENT_LIMITED_KEY may do little."""

# What it imports is not in the environment that is checked.
# mypy: ignore-errors

import os

import anthropic
import litellm
import openai
from anthropic import Anthropic
from openai import OpenAI
from trying import BASE, GREETING, KEY, MODEL, URL, error_of, heard, main, trial

LIMITED = os.environ["CLIENT_LIMITED_KEY"]
OTHER = "demo-llama"
USER = [{"role": "user", "content": GREETING}]
NEVER = f"sk-sw-{'x' * 43}"


def chat(key: str, model: str = MODEL) -> str:
    """Ask with a key, as OpenAI's clients send it."""
    client = OpenAI(base_url=BASE, api_key=key, max_retries=0)
    answer = client.chat.completions.create(model=model, messages=USER, max_tokens=40)
    return answer.choices[0].message.content


def message(**key: str | None) -> str:
    """Ask as Anthropic's clients do."""
    client = Anthropic(base_url=URL, max_retries=0, **key)
    answer = client.messages.create(model=MODEL, messages=USER, max_tokens=40)
    return answer.content[0].text


def through_litellm(key: str, model: str = MODEL) -> None:
    """Ask with a key, as LiteLLM sends it."""
    place = {"api_base": BASE, "api_key": key, "num_retries": 0}
    litellm.completion(model=f"openai/{model}", messages=USER, max_tokens=40, **place)


@trial()
def a_good_key() -> None:
    heard(chat(KEY))


@trial()
def a_good_key_of_anthropics_clients() -> None:
    """In x-api-key, and in Authorization."""
    heard(message(api_key=KEY))
    heard(message(auth_token=KEY, api_key=None))


@trial()
def a_key_that_never_was() -> None:
    for key in ("not-needed", NEVER):
        error = error_of(openai.AuthenticationError, lambda key=key: chat(key))
        assert error.code == "invalid_api_key", error.body


@trial()
def a_key_that_never_was_of_anthropics_clients() -> None:
    error = error_of(anthropic.AuthenticationError, lambda: message(api_key=NEVER))
    assert error.body["type"] == "error", error.body
    assert error.body["error"]["type"] == "authentication_error", error.body


@trial()
def a_key_that_never_was_of_litellm() -> None:
    error_of(litellm.AuthenticationError, lambda: through_litellm(NEVER))


@trial()
def a_model_that_the_key_may_not_have() -> None:
    error = error_of(openai.PermissionDeniedError, lambda: chat(LIMITED))
    assert error.code == "model_not_allowed", error.body


@trial()
def a_key_that_asks_too_often() -> None:
    heard(chat(LIMITED, OTHER), model=OTHER)
    error = error_of(openai.RateLimitError, lambda: chat(LIMITED, OTHER))
    assert error.code == "rate_limit_exceeded", error.body
    assert int(error.response.headers["retry-after"]) >= 1
    assert "x-ratelimit-limit-requests" in error.response.headers


@trial()
def litellm_tells_the_refusals_apart() -> None:
    """It looks at the words of an error before its status. The key has asked once already."""
    error = error_of(openai.APIError, lambda: through_litellm(LIMITED))
    assert error.status_code == 403, error
    error_of(litellm.RateLimitError, lambda: through_litellm(LIMITED, OTHER))


@trial()
def the_models_that_a_key_may_have() -> None:
    names = [model.id for model in OpenAI(base_url=BASE, api_key=KEY).models.list()]
    assert {MODEL, OTHER} <= set(names)


@trial()
def usage_that_nobody_asked_for_is_not_told() -> None:
    """The gateway asks the engine for it, to count, and keeps it to itself."""
    client = OpenAI(base_url=BASE, api_key=KEY, max_retries=0)
    ask = {"model": MODEL, "messages": USER, "max_tokens": 40, "stream": True}
    chunks = list(client.chat.completions.create(**ask))
    assert all(chunk.choices and not chunk.usage for chunk in chunks)
    heard("".join(chunk.choices[0].delta.content or "" for chunk in chunks))
    *_, last = client.chat.completions.create(**ask, stream_options={"include_usage": True})
    assert last.usage.completion_tokens > 0


if __name__ == "__main__":
    litellm.suppress_debug_info = True
    main("openai", "anthropic", "litellm")

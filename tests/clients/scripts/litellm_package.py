"""What people do with the package `litellm`, as a client."""

# What it imports is not in the environment that is checked.
# mypy: ignore-errors

import asyncio
import json

import litellm
from trying import BASE, CITY, GREETING, KEY, MODEL, URL, called, error_of, heard, main, trial

USER = [{"role": "user", "content": GREETING}]
TOOL = {"type": "function", "function": {"name": "weather", "parameters": CITY}}
NAMED = {"type": "function", "function": {"name": "weather"}}
PLACE = {"api_base": BASE, "api_key": KEY, "num_retries": 0}
SHORT = {"model": f"openai/{MODEL}", "messages": USER, "max_tokens": 80, **PLACE}


@trial()
def chat() -> None:
    answer = litellm.completion(**SHORT)
    heard(answer.choices[0].message.content)
    assert answer.usage.completion_tokens > 0


@trial()
def chat_as_hosted_vllm() -> None:
    answer = litellm.completion(**{**SHORT, "model": f"hosted_vllm/{MODEL}"})
    heard(answer.choices[0].message.content)


@trial()
def chat_streamed() -> None:
    chunks = list(litellm.completion(**SHORT, stream=True, stream_options={"include_usage": True}))
    heard("".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices))
    assert any(getattr(chunk, "usage", None) for chunk in chunks)


@trial()
async def chat_async() -> None:
    answers = await asyncio.gather(*(litellm.acompletion(**SHORT) for _ in range(5)))
    for answer in answers:
        heard(answer.choices[0].message.content)
    stream = await litellm.acompletion(**SHORT, stream=True)
    heard("".join([chunk.choices[0].delta.content or "" async for chunk in stream]))


@trial()
def tools() -> None:
    answer = litellm.completion(**SHORT, tools=[TOOL], tool_choice=NAMED)
    function = answer.choices[0].message.tool_calls[0].function
    called(function.name, function.arguments)


@trial()
def tools_streamed() -> None:
    chunks = list(litellm.completion(**SHORT, tools=[TOOL], tool_choice=NAMED, stream=True))
    built = litellm.stream_chunk_builder(chunks)
    function = built.choices[0].message.tool_calls[0].function
    called(function.name, function.arguments)


@trial()
def structured() -> None:
    form = {"type": "json_schema", "json_schema": {"name": "place", "schema": CITY}}
    answer = litellm.completion(**SHORT, response_format=form)
    assert json.loads(answer.choices[0].message.content)["city"] in ("Oslo", "Paris")


@trial()
def completion() -> None:
    answer = litellm.text_completion(
        model=f"text-completion-openai/{MODEL}", prompt=GREETING, max_tokens=5, **PLACE
    )
    heard(answer.choices[0].text)


@trial()
def response() -> None:
    answer = litellm.responses(
        model=f"openai/{MODEL}", input=GREETING, max_output_tokens=40, **PLACE
    )
    heard(answer.output[0].content[0].text)


@trial()
def message() -> None:
    """Anthropic's dialect through LiteLLM's own translation."""
    answer = litellm.completion(
        model=f"anthropic/{MODEL}", messages=USER, max_tokens=40, api_base=URL, api_key=KEY
    )
    heard(answer.choices[0].message.content)


@trial(fake_only=True)
def embeddings() -> None:
    answer = litellm.embedding(model=f"openai/{MODEL}", input=["one", "two"], **PLACE)
    assert len(answer.data) == 2


@trial(fake_only=True)
def rerank() -> None:
    answer = litellm.rerank(
        model=f"hosted_vllm/{MODEL}",
        query="what is a cat",
        documents=["a dog", "a cat is"],
        api_base=BASE,
        api_key=KEY,
    )
    assert answer.results[0]["index"] == 1


@trial()
def unknown_model() -> None:
    ask = {**SHORT, "model": "openai/no-such-model"}
    error = error_of(litellm.NotFoundError, lambda: litellm.completion(**ask))
    assert "no-such-model" in str(error)


@trial()
def the_engines_own_refusal() -> None:
    ask = {**SHORT, "max_tokens": -1}
    error = error_of(litellm.BadRequestError, lambda: litellm.completion(**ask))
    assert "max_tokens" in str(error)


if __name__ == "__main__":
    litellm.suppress_debug_info = True  # else it prints advice to stdout
    main("litellm")

"""What people do with the package `anthropic`; Claude Code asks with it too."""

# What it imports is not in the environment that is checked.
# mypy: ignore-errors

import asyncio

import anthropic
from anthropic import Anthropic, AsyncAnthropic
from trying import (
    CITY,
    FAKE,
    GREETING,
    KEY,
    MODEL,
    PIXEL,
    URL,
    called,
    ends_within,
    error_of,
    heard,
    main,
    trial,
)

CLIENT = Anthropic(base_url=URL, api_key=KEY, max_retries=0, timeout=60)
SHORT = {
    "model": MODEL,
    "max_tokens": 40,
    "messages": [{"role": "user", "content": GREETING}],
}
TOOL = {"name": "weather", "description": "The weather of a city", "input_schema": CITY}


@trial()
def message() -> None:
    answer = CLIENT.messages.create(**SHORT)
    heard(answer.content[0].text)
    assert answer.stop_reason in ("end_turn", "max_tokens")
    assert answer.usage.output_tokens > 0


@trial()
def message_streamed() -> None:
    with CLIENT.messages.stream(**SHORT) as stream:
        heard("".join(stream.text_stream))
        assert stream.get_final_message().usage.output_tokens > 0


@trial()
def raw_events() -> None:
    kinds = [event.type for event in CLIENT.messages.create(**SHORT, stream=True)]
    assert kinds[:2] == ["message_start", "content_block_start"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]


@trial()
async def message_async() -> None:
    async with AsyncAnthropic(base_url=URL, api_key=KEY, max_retries=0) as client:
        answers = await asyncio.gather(*(client.messages.create(**SHORT) for _ in range(10)))
        for answer in answers:
            heard(answer.content[0].text)
        async with client.messages.stream(**SHORT) as stream:
            heard("".join([text async for text in stream.text_stream]))


@trial()
def bearer_token() -> None:
    """ANTHROPIC_AUTH_TOKEN: the key in Authorization, where x-api-key is usual."""
    client = Anthropic(base_url=URL, auth_token=KEY, api_key=None, max_retries=0)
    heard(client.messages.create(**SHORT).content[0].text)


@trial()
def beta() -> None:
    """As Claude Code asks: with a query and headers of its own, and cache_control in the parts."""
    part = {"type": "text", "text": GREETING, "cache_control": {"type": "ephemeral"}}
    answer = CLIENT.beta.messages.create(
        **{**SHORT, "messages": [{"role": "user", "content": [part]}]},
        system=[{"type": "text", "text": "Be short.", "cache_control": {"type": "ephemeral"}}],
        betas=["prompt-caching-2024-07-31"],
        metadata={"user_id": "somebody"},
    )
    heard(answer.content[0].text)


@trial()
def system() -> None:
    answer = CLIENT.messages.create(**SHORT, system="Be short.")
    heard(answer.content[0].text)


@trial()
def stop_sequence() -> None:
    word = "there" if FAKE else "e"
    answer = CLIENT.messages.create(**SHORT, stop_sequences=[word])
    assert (answer.stop_reason, answer.stop_sequence) == ("stop_sequence", word)


@trial(fake_only=True)
def tools() -> None:
    """The demo model calls with arguments that are no object: vLLM refuses its own answer."""
    choice = {"type": "tool", "name": "weather"}
    answer = CLIENT.messages.create(**SHORT, tools=[TOOL], tool_choice=choice)
    assert answer.stop_reason == "tool_use"
    called(answer.content[0].name, answer.content[0].input)


@trial(fake_only=True)
def tools_streamed() -> None:
    with CLIENT.messages.stream(**SHORT, tools=[TOOL], tool_choice={"type": "any"}) as stream:
        last = stream.get_final_message()
    called(last.content[0].name, last.content[0].input)


@trial(fake_only=True)
def tools_in_a_loop() -> None:
    messages = [{"role": "user", "content": "How is the weather in Oslo?"}]
    ask = {"model": MODEL, "max_tokens": 40, "tools": [TOOL]}
    first = CLIENT.messages.create(**ask, messages=messages)
    call = first.content[0]
    called(call.name, call.input)
    messages += [
        {"role": "assistant", "content": [call.model_dump(exclude_none=True)]},
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "cold"}],
        },
    ]
    heard(CLIENT.messages.create(**ask, messages=messages).content[0].text, "cold")


@trial()
def tokens_counted() -> None:
    counted = CLIENT.messages.count_tokens(model=MODEL, messages=SHORT["messages"])
    assert counted.input_tokens > 0
    if FAKE:
        assert counted.input_tokens == 2


@trial()
def vision_refused() -> None:
    source = {"type": "base64", "media_type": "image/png", "data": PIXEL}
    messages = [{"role": "user", "content": [{"type": "image", "source": source}]}]
    ask = {**SHORT, "messages": messages}
    error = error_of(anthropic.BadRequestError, lambda: CLIENT.messages.create(**ask))
    assert "is not a multimodal model" in str(error), error
    assert error.body["type"] == "error"


@trial()
def unknown_model() -> None:
    ask = {**SHORT, "model": "no-such-model"}
    error = error_of(anthropic.NotFoundError, lambda: CLIENT.messages.create(**ask))
    assert error.body["type"] == "error", error.body
    assert "no-such-model" in error.body["error"]["message"]


@trial()
def name_in_another_case() -> None:
    heard(CLIENT.messages.create(**{**SHORT, "model": MODEL.upper()}).content[0].text)


@trial()
def disconnect_in_mid_stream() -> None:
    """The real model may end first; of the fake engine the answer is long enough."""
    words = " ".join(f"word{at}" for at in range(400)) if FAKE else GREETING
    ask = {**SHORT, "max_tokens": 1000, "messages": [{"role": "user", "content": words}]}
    stream = CLIENT.messages.create(**ask, stream=True)
    next(iter(stream))
    stream.close()
    ends_within(3)


if __name__ == "__main__":
    main("anthropic")

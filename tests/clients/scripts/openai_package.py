"""What people do with the package `openai`."""

# What it imports is not in the environment that is checked.
# mypy: ignore-errors

import asyncio
import json
from typing import Literal

import openai
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel
from trying import (
    BASE,
    CITY,
    FAKE,
    GREETING,
    KEY,
    MODEL,
    PIXEL,
    called,
    ends_within,
    error_of,
    heard,
    main,
    trial,
)

CLIENT = OpenAI(base_url=BASE, api_key=KEY, max_retries=0, timeout=60)
USER = [{"role": "user", "content": GREETING}]
TOOL = {"type": "function", "function": {"name": "weather", "parameters": CITY}}
NAMED = {"type": "function", "function": {"name": "weather"}}
SHORT = {"model": MODEL, "messages": USER, "max_tokens": 80}


class Report(BaseModel):
    """What is asked for where an answer has to have a form."""

    city: Literal["Oslo", "Paris"]
    warm: bool


@trial()
def model_list() -> None:
    assert MODEL in [model.id for model in CLIENT.models.list()]


@trial()
def model_retrieved() -> None:
    assert CLIENT.models.retrieve(MODEL).id == MODEL


@trial()
def chat() -> None:
    answer = CLIENT.chat.completions.create(**SHORT)
    heard(answer.choices[0].message.content)
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


@trial()
def chat_streamed() -> None:
    chunks = list(CLIENT.chat.completions.create(**SHORT, stream=True))
    heard("".join(chunk.choices[0].delta.content or "" for chunk in chunks))
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices[0].finish_reason in ("stop", "length")
    assert not any(chunk.usage for chunk in chunks)  # nobody asked for it


@trial()
def stream_options() -> None:
    options = {"include_usage": True}
    *chunks, last = CLIENT.chat.completions.create(**SHORT, stream=True, stream_options=options)
    assert last.choices == []
    assert last.usage.completion_tokens > 0
    assert all(chunk.choices for chunk in chunks)


@trial()
async def chat_async() -> None:
    async with AsyncOpenAI(base_url=BASE, api_key=KEY, max_retries=0) as client:
        answer = await client.chat.completions.create(**SHORT)
        heard(answer.choices[0].message.content)
        stream = await client.chat.completions.create(**SHORT, stream=True)
        heard("".join([chunk.choices[0].delta.content or "" async for chunk in stream]))


@trial()
async def several_at_once() -> None:
    async with AsyncOpenAI(base_url=BASE, api_key=KEY, max_retries=0) as client:
        answers = await asyncio.gather(
            *(client.chat.completions.create(**SHORT) for _ in range(20))
        )
    for answer in answers:
        heard(answer.choices[0].message.content)


@trial()
def tools() -> None:
    answer = CLIENT.chat.completions.create(**SHORT, tools=[TOOL], tool_choice=NAMED)
    function = answer.choices[0].message.tool_calls[0].function
    called(function.name, function.arguments)


@trial()
def tools_streamed() -> None:
    """As Continue and other editors read it: name first, arguments in pieces."""
    stream = CLIENT.chat.completions.create(
        **SHORT, tools=[TOOL], tool_choice="required", stream=True
    )
    name, arguments, reasons = "", "", []
    for chunk in stream:
        for call in chunk.choices[0].delta.tool_calls or ():
            name += call.function.name or ""
            arguments += call.function.arguments or ""
        reasons.append(chunk.choices[0].finish_reason)
    called(name, arguments)
    assert reasons[-1] == "tool_calls"


@trial()
def tools_stream_helper() -> None:
    with CLIENT.chat.completions.stream(**SHORT, tools=[TOOL], tool_choice=NAMED) as stream:
        for _ in stream:
            pass
        function = stream.get_final_completion().choices[0].message.tool_calls[0].function
    called(function.name, function.arguments)


@trial(fake_only=True)
def tools_in_a_loop() -> None:
    """The model calls by itself, hears the result, and answers."""
    messages = [{"role": "user", "content": "How is the weather in Oslo?"}]
    first = CLIENT.chat.completions.create(model=MODEL, messages=messages, tools=[TOOL])
    call = first.choices[0].message.tool_calls[0]
    called(call.function.name, call.function.arguments)
    messages += [
        first.choices[0].message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": call.id, "content": "cold"},
    ]
    last = CLIENT.chat.completions.create(model=MODEL, messages=messages, tools=[TOOL])
    heard(last.choices[0].message.content, "cold")


@trial()
def structured() -> None:
    answer = CLIENT.chat.completions.parse(**SHORT, response_format=Report)
    report = answer.choices[0].message.parsed
    assert isinstance(report, Report), answer


@trial()
def structured_streamed() -> None:
    with CLIENT.chat.completions.stream(**SHORT, response_format=Report) as stream:
        for _ in stream:
            pass
        assert isinstance(stream.get_final_completion().choices[0].message.parsed, Report)


@trial()
def json_object() -> None:
    form = {"type": "json_object"}
    answer = CLIENT.chat.completions.create(**SHORT, response_format=form)
    text = answer.choices[0].message.content
    assert text.startswith("{"), text
    if FAKE:
        json.loads(text)


@trial()
def logprobs() -> None:
    answer = CLIENT.chat.completions.create(**SHORT, logprobs=True, top_logprobs=2)
    tokens = answer.choices[0].logprobs.content
    assert "".join(token.token for token in tokens).startswith(answer.choices[0].message.content)
    assert all(token.logprob <= 0 and len(token.top_logprobs) == 2 for token in tokens)


@trial()
def logprobs_streamed() -> None:
    stream = CLIENT.chat.completions.create(**SHORT, logprobs=True, top_logprobs=1, stream=True)
    told = [chunk.choices[0].logprobs for chunk in stream]
    assert sum(len(one.content) for one in told if one) > 1


@trial()
def several_choices() -> None:
    answer = CLIENT.chat.completions.create(**SHORT, n=3, temperature=1)
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    for choice in answer.choices:
        heard(choice.message.content)


@trial()
def several_choices_streamed() -> None:
    stream = CLIENT.chat.completions.create(**SHORT, n=2, temperature=1, stream=True)
    texts = {0: "", 1: ""}
    for chunk in stream:
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
    for text in texts.values():
        heard(text)


@trial()
def stop() -> None:
    word = "there" if FAKE else "e"
    answer = CLIENT.chat.completions.create(**SHORT, stop=[word, "never said"])
    assert answer.choices[0].finish_reason == "stop"
    assert word not in answer.choices[0].message.content


@trial()
def unknown_parameters_pass() -> None:
    """vLLM's own parameters, and such as nobody knows."""
    more = {"ignore_eos": True, "no_such_parameter": {"a": [1]}}
    words = {**SHORT, "max_tokens": 9}
    answer = CLIENT.chat.completions.create(**words, extra_body=more)
    assert answer.usage.completion_tokens == 9


@trial()
def vision_refused() -> None:
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
    ]
    ask = {"model": MODEL, "messages": [{"role": "user", "content": parts}]}
    error = error_of(openai.BadRequestError, lambda: CLIENT.chat.completions.create(**ask))
    assert "is not a multimodal model" in error.message
    assert error.type == "BadRequestError"  # vLLM's own word


@trial()
def content_parts() -> None:
    parts = [{"type": "text", "text": "Hello"}, {"type": "text", "text": "there"}]
    messages = [{"role": "user", "content": parts}]
    answer = CLIENT.chat.completions.create(model=MODEL, messages=messages, max_tokens=40)
    heard(answer.choices[0].message.content)


@trial()
def completion() -> None:
    answer = CLIENT.completions.create(model=MODEL, prompt=GREETING, max_tokens=5)
    heard(answer.choices[0].text)


@trial()
def completion_streamed() -> None:
    stream = CLIENT.completions.create(model=MODEL, prompt=GREETING, max_tokens=5, stream=True)
    heard("".join(chunk.choices[0].text for chunk in stream))


@trial()
def completion_logprobs() -> None:
    answer = CLIENT.completions.create(model=MODEL, prompt=GREETING, max_tokens=3, logprobs=2)
    assert len(answer.choices[0].logprobs.tokens) == 3


@trial(fake_only=True)
def embeddings() -> None:
    """The package asks for base64 by itself."""
    answer = CLIENT.embeddings.create(model=MODEL, input=["one two", "two one", "three"])
    first, second, third = (one.embedding for one in answer.data)
    assert first == second != third
    assert answer.usage.prompt_tokens == 5


@trial(fake_only=True)
def embeddings_as_floats() -> None:
    answer = CLIENT.embeddings.create(
        model=MODEL, input="one", dimensions=16, encoding_format="float"
    )
    assert len(answer.data[0].embedding) == 16


@trial()
def response() -> None:
    answer = CLIENT.responses.create(model=MODEL, input=GREETING, max_output_tokens=40)
    heard(answer.output_text)
    assert answer.usage.output_tokens > 0


@trial()
def response_streamed() -> None:
    with CLIENT.responses.stream(model=MODEL, input=GREETING, max_output_tokens=40) as stream:
        kinds = [event.type for event in stream]
        heard(stream.get_final_response().output_text)
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"


@trial()
def response_tools() -> None:
    tool = {"type": "function", "name": "weather", "parameters": CITY, "strict": False}
    answer = CLIENT.responses.create(
        model=MODEL,
        input=GREETING,
        tools=[tool],
        tool_choice={"type": "function", "name": "weather"},
        max_output_tokens=100,
    )
    called(answer.output[0].name, answer.output[0].arguments)


@trial()
def response_structured() -> None:
    answer = CLIENT.responses.parse(
        model=MODEL, input=GREETING, text_format=Report, max_output_tokens=100
    )
    assert isinstance(answer.output_parsed, Report)


@trial(fake_only=True)
def response_retrieved() -> None:
    """The real engine keeps none unless VLLM_ENABLE_RESPONSES_API_STORE is set."""
    made = CLIENT.responses.create(model=MODEL, input=GREETING)
    assert CLIENT.responses.retrieve(made.id).output_text == made.output_text
    error_of(openai.NotFoundError, lambda: CLIENT.responses.retrieve("resp_unknown"))


@trial(fake_only=True)
def response_cancelled() -> None:
    made = CLIENT.responses.create(
        model=MODEL,
        input=GREETING,
        background=True,
        max_output_tokens=1900,
        extra_body={"ignore_eos": True},
    )
    assert made.status == "queued"
    assert CLIENT.responses.cancel(made.id).status == "cancelled"
    ends_within(3)


@trial()
def unknown_model() -> None:
    ask = {**SHORT, "model": "no-such-model"}
    error = error_of(openai.NotFoundError, lambda: CLIENT.chat.completions.create(**ask))
    assert error.code == "model_not_found"
    assert "no-such-model" in error.message


@trial()
def the_engines_own_refusal() -> None:
    ask = {**SHORT, "max_tokens": -1}
    error = error_of(openai.BadRequestError, lambda: CLIENT.chat.completions.create(**ask))
    assert "max_tokens" in error.message


@trial()
def a_request_id() -> None:
    answer = CLIENT.chat.completions.with_raw_response.create(
        **SHORT, extra_headers={"X-Request-Id": "of-the-client"}
    )
    assert answer.headers["x-request-id"] == "of-the-client"
    assert CLIENT.chat.completions.create(**SHORT)._request_id


@trial()
def name_in_another_case() -> None:
    answer = CLIENT.chat.completions.create(**{**SHORT, "model": MODEL.upper()})
    heard(answer.choices[0].message.content)


@trial()
def name_of_the_repository() -> None:
    for alias in CLIENT.models.retrieve(MODEL).aliases:
        for name in (alias, alias.upper()):
            answer = CLIENT.chat.completions.create(**{**SHORT, "model": name})
            assert answer.choices[0].message.content


@trial()
def name_of_the_default() -> None:
    answer = CLIENT.chat.completions.create(**{**SHORT, "model": "default"})
    heard(answer.choices[0].message.content)


LONG = {
    "model": MODEL,
    "messages": USER,
    "max_tokens": 1900,
    "extra_body": {"ignore_eos": True},
}


@trial()
def disconnect_in_mid_stream() -> None:
    stream = CLIENT.chat.completions.create(**LONG, stream=True)
    for _, _chunk in zip(range(5), stream, strict=False):
        pass
    stream.close()
    ends_within(3)


@trial()
def time_out_of_a_whole_answer() -> None:
    impatient = CLIENT.with_options(timeout=0.5)
    error_of(openai.APITimeoutError, lambda: impatient.chat.completions.create(**LONG))
    ends_within(3)


@trial()
async def task_cancelled_in_mid_stream() -> None:
    async with AsyncOpenAI(base_url=BASE, api_key=KEY, max_retries=0) as client:
        begun = asyncio.Event()

        async def read() -> None:
            async for _ in await client.chat.completions.create(**LONG, stream=True):
                begun.set()

        task = asyncio.create_task(read())
        await begun.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.to_thread(ends_within, 3)


if __name__ == "__main__":
    main("openai")

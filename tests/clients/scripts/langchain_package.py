"""What people do with the packages `langchain-openai` and `langchain-anthropic`."""

# What it imports is not in the environment that is checked.
# mypy: ignore-errors

from typing import Literal

from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAI, OpenAIEmbeddings
from pydantic import BaseModel
from trying import BASE, GREETING, KEY, MODEL, URL, heard, main, trial

CHAT = ChatOpenAI(model=MODEL, base_url=BASE, api_key=KEY, max_tokens=60, max_retries=0)


class Place(BaseModel):
    """Where it is."""

    city: Literal["Oslo", "Paris"]


@tool
def weather(city: str) -> str:
    """Tell the weather of a city."""
    return "cold"


@trial()
def chat() -> None:
    answer = CHAT.invoke(GREETING)
    heard(answer.content)
    assert answer.usage_metadata["output_tokens"] > 0


@trial()
def chat_streamed() -> None:
    heard("".join(chunk.content for chunk in CHAT.stream(GREETING)))


@trial()
async def chat_async() -> None:
    heard((await CHAT.ainvoke(GREETING)).content)
    heard("".join([chunk.content async for chunk in CHAT.astream(GREETING)]))


@trial()
def several_at_once() -> None:
    for answer in CHAT.batch([GREETING] * 4):
        heard(answer.content)


@trial(fake_only=True)
def tools() -> None:
    """The demo model's arguments are no object: LangChain refuses them."""
    answer = CHAT.bind_tools([weather], tool_choice="weather").invoke(GREETING)
    assert answer.tool_calls[0]["name"] == "weather"
    assert answer.tool_calls[0]["args"] == {"city": "text"}


@trial(fake_only=True)
def tools_in_a_loop() -> None:
    agent = CHAT.bind_tools([weather])
    messages = [HumanMessage("How is the weather?")]
    first = agent.invoke(messages)
    call = first.tool_calls[0]
    result = ToolMessage(weather.invoke(call["args"]), tool_call_id=call["id"])
    heard(agent.invoke([*messages, first, result]).content, "cold")


@trial(fake_only=True)
def tools_streamed() -> None:
    agent = CHAT.bind_tools([weather], tool_choice="any")
    chunks = list(agent.stream(GREETING))
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    assert whole.tool_calls[0]["args"] == {"city": "text"}


@trial()
def structured() -> None:
    place = CHAT.with_structured_output(Place, method="json_schema").invoke(GREETING)
    assert isinstance(place, Place)


@trial()
def logprobs() -> None:
    answer = CHAT.bind(logprobs=True).invoke(GREETING)
    assert answer.response_metadata["logprobs"]["content"]


@trial()
def completion() -> None:
    model = OpenAI(model=MODEL, base_url=BASE, api_key=KEY, max_tokens=5, max_retries=0)
    heard(model.invoke(GREETING))


@trial()
def response() -> None:
    model = ChatOpenAI(
        model=MODEL, base_url=BASE, api_key=KEY, use_responses_api=True, max_retries=0
    )
    heard(model.invoke(GREETING).text)


@trial(fake_only=True)
def embeddings() -> None:
    """check_embedding_ctx_length=False: else it counts with a tokenizer of OpenAI's."""
    model = OpenAIEmbeddings(
        model=MODEL, base_url=BASE, api_key=KEY, check_embedding_ctx_length=False
    )
    assert len(model.embed_documents(["one", "two"])) == 2
    assert model.embed_query("one") == model.embed_documents(["one"])[0]


@trial()
def message() -> None:
    """Anthropic's dialect: langchain-anthropic."""
    model = ChatAnthropic(model_name=MODEL, base_url=URL, api_key=KEY, max_tokens=40, max_retries=0)
    heard(model.invoke(GREETING).content)
    heard("".join(chunk.text for chunk in model.stream(GREETING)))


if __name__ == "__main__":
    main("langchain-openai", "langchain-anthropic", "langchain-core")

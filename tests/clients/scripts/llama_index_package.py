"""What people do with LlamaIndex' packages for endpoints like OpenAI's."""

# What it imports is not in the environment that is checked.
# mypy: ignore-errors

from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from llama_index.llms.openai_like import OpenAILike
from pydantic import BaseModel
from trying import BASE, GREETING, KEY, MODEL, heard, main, trial

PLACE = {"api_base": BASE, "api_key": KEY, "max_retries": 0}
CHAT = OpenAILike(
    model=MODEL,
    is_chat_model=True,
    is_function_calling_model=True,
    context_window=2048,
    max_tokens=60,
    **PLACE,
)
USER = [ChatMessage(role="user", content=GREETING)]


class Place(BaseModel):
    """Where it is."""

    city: str


def weather(city: str) -> str:
    """Tell the weather of a city."""
    return f"cold in {city}"


@trial()
def chat() -> None:
    heard(CHAT.chat(USER).message.content)


@trial()
def chat_streamed() -> None:
    heard("".join(part.delta or "" for part in CHAT.stream_chat(USER)))


@trial()
async def chat_async() -> None:
    heard((await CHAT.achat(USER)).message.content)
    stream = await CHAT.astream_chat(USER)
    heard("".join([part.delta or "" async for part in stream]))


@trial()
def completion() -> None:
    model = OpenAILike(model=MODEL, is_chat_model=False, context_window=2048, max_tokens=5, **PLACE)
    heard(model.complete(GREETING).text)
    heard("".join(part.delta or "" for part in model.stream_complete(GREETING)))


@trial(fake_only=True)
def tools() -> None:
    tool = FunctionTool.from_defaults(weather)
    answer = CHAT.predict_and_call([tool], user_msg="How is the weather?")
    assert str(answer) == "cold in text", answer


@trial(fake_only=True)
def structured() -> None:
    """By a tool that has the form."""
    answer = CHAT.as_structured_llm(Place).complete("Fill a Place in")
    assert answer.raw == Place(city="text"), answer


@trial(fake_only=True)
def embeddings() -> None:
    model = OpenAILikeEmbedding(model_name=MODEL, api_base=BASE, api_key=KEY)
    assert len(model.get_text_embedding_batch(["one", "two"])) == 2


if __name__ == "__main__":
    main("llama-index-core", "llama-index-llms-openai-like", "llama-index-embeddings-openai-like")

"""What has no package of its own, asked as curl asks."""

# It is run beside the module that it imports.
# mypy: ignore-errors

import json
import urllib.error
import urllib.request
from typing import Any

from trying import GREETING, KEY, MODEL, PIXEL, URL, main, trial


def post(path: str, body: dict[str, Any]) -> tuple[int, Any]:
    """Status and document of the answer."""
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"}
    text = json.dumps(body).encode()
    request = urllib.request.Request(URL + path, text, headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def ok(path: str, **body: Any) -> Any:
    """The document of an answer that has to be one."""
    status, document = post(path, {"model": MODEL, **body})
    assert status == 200, document
    return document


@trial()
def tokenize() -> None:
    for path in ("/tokenize", "/v1/tokenize"):
        said = ok(path, prompt="Hello there you")
        assert said["count"] == len(said["tokens"]) >= 3
        told = ok(path.replace("/token", "/detoken"), tokens=said["tokens"])
        assert told["prompt"] == "Hello there you"


@trial()
def tokenize_a_chat() -> None:
    assert ok("/v1/tokenize", messages=[{"role": "user", "content": GREETING}])["count"] >= 2


@trial(fake_only=True)
def rerank() -> None:
    for path in ("/v1/rerank", "/v2/rerank", "/rerank"):
        said = ok(path, query="what is a cat", documents=["a dog", "a cat is"], top_n=1)
        assert [one["index"] for one in said["results"]] == [1]
        assert said["results"][0]["document"]["text"] == "a cat is"


@trial(fake_only=True)
def score() -> None:
    for path in ("/v1/score", "/score"):
        said = ok(path, text_1="a cat", text_2=["a cat", "no dog"])
        assert [one["score"] for one in said["data"]] == [1.0, 0.0]


@trial(fake_only=True)
def pooling() -> None:
    for path in ("/v1/pooling", "/pooling"):
        assert len(ok(path, input="hello")["data"][0]["data"]) == 8


@trial(fake_only=True)
def classify() -> None:
    assert ok("/classify", input=["one", "one two"])["data"][1]["label"] == "LABEL_0"


@trial()
def what_the_model_is_not_for() -> None:
    """vLLM has these routes, and no client may ask for them."""
    for path in ("/v1/load_lora_adapter", "/sleep", "/collective_rpc", "/v1/nothing"):
        status, _ = post(path, {"model": MODEL})
        assert status in (404, 405), path


@trial()
def vision_refused() -> None:
    """All three dialects: the engine's 400 in the engine's words."""
    url = f"data:image/png;base64,{PIXEL}"
    part = {"type": "image_url", "image_url": {"url": url}}
    message = [{"role": "user", "content": [part]}]
    status, said = post("/v1/chat/completions", {"model": MODEL, "messages": message})
    assert (status, said["error"]["type"]) == (400, "BadRequestError")
    assert said["error"]["message"].endswith("is not a multimodal model")


if __name__ == "__main__":
    main()

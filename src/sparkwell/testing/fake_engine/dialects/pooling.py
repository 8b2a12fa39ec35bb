"""What is computed from texts at once: embeddings, scores, classes.

A vector has a place for each of its numbers that a word's letters choose, so that texts that share
words are near each other; a score is the share of the query's words that the document has.
"""

import base64
import struct
import zlib
from collections.abc import Callable
from typing import Any

from sparkwell.testing.fake_engine.asked import Json, words
from sparkwell.testing.fake_engine.problems import missing

_DIMENSIONS = 8
Computed = tuple[tuple[str, ...], Json]
"""The texts that were read, and the answer without id, model and usage."""


def embeddings(request: Json) -> Computed:
    """POST /v1/embeddings."""
    texts = _texts(request, "input")
    size = int(request.get("dimensions") or _DIMENSIONS)
    encode = _base64 if request.get("encoding_format") == "base64" else list
    return texts, _listed("embedding", [{"embedding": encode(_vector(one, size))} for one in texts])


def pooling(request: Json) -> Computed:
    """POST /pooling."""
    texts = _texts(request, "input")
    return texts, _listed("pooling", [{"data": list(_vector(one, _DIMENSIONS))} for one in texts])


def classify(request: Json) -> Computed:
    """POST /classify: into texts with an even and with an odd number of words."""
    texts = _texts(request, "input")
    labels = [len(text.split()) % 2 for text in texts]
    data = [
        {"label": f"LABEL_{label}", "probs": [1.0 - label, float(label)], "num_classes": 2}
        for label in labels
    ]
    return texts, {"object": "list", "data": [{"index": at, **one} for at, one in enumerate(data)]}


def score(request: Json) -> Computed:
    """POST /score: each of one side's texts against the other's, or all against one."""
    pairs = (("queries", "documents"), ("queries", "items"), ("data_1", "data_2"))
    names = next((pair for pair in pairs if all(map(request.get, pair))), ("text_1", "text_2"))
    left, right = (_texts(request, name) for name in names)
    left = left * len(right) if len(left) == 1 else left
    scores = [{"score": _overlap(one, other)} for one, other in zip(left, right, strict=False)]
    return (*left, *right), _listed("score", scores)


def rerank(request: Json) -> Computed:
    """POST /rerank: the documents, the best first."""
    query, documents = _texts(request, "query")[0], _texts(request, "documents")
    results = [
        {
            "index": at,
            "document": {"text": text, "multi_modal": None},
            "relevance_score": _overlap(query, text),
        }
        for at, text in enumerate(documents)
    ]
    results.sort(key=lambda result: -float(str(result["relevance_score"])))
    return (query, *documents), {"results": results[: request.get("top_n") or None]}


ROUTES: dict[str, tuple[str, Callable[[Json], Computed]]] = {
    "/v1/embeddings": ("embd-", embeddings),
    "/pooling": ("pooling-", pooling),
    "/classify": ("classify-", classify),
    "/score": ("score-", score),
    "/v1/score": ("score-", score),
    "/rerank": ("score-", rerank),
    "/v1/rerank": ("score-", rerank),
    "/v2/rerank": ("score-", rerank),
}
"""By path: what begins the answer's id, and what computes it."""


def _texts(request: Json, name: str) -> tuple[str, ...]:
    """Read one text or several; token ids are one text, a document may be an object with one."""
    value = request.get(name)
    if value is None:
        raise missing(name, len(request))
    if isinstance(value, list) and value and isinstance(value[0], int):
        return (" ".join(map(str, value)),)
    if isinstance(value, list):
        return words([one["text"] if isinstance(one, dict) else one for one in value])
    return words(value)


def _vector(text: str, size: int) -> tuple[float, ...]:
    numbers = [0.0] * size
    for word in text.lower().split() or [""]:
        numbers[zlib.crc32(word.encode()) % size] += 1.0
    length = sum(number**2 for number in numbers) ** 0.5
    return tuple(number / length for number in numbers)


def _base64(vector: tuple[float, ...]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def _overlap(query: str, document: str) -> float:
    wanted, there = set(query.lower().split()), set(document.lower().split())
    return len(wanted & there) / len(wanted) if wanted else 0.0


def _listed(kind: str, data: list[dict[str, Any]]) -> Json:
    numbered = [{"index": at, "object": kind, **one} for at, one in enumerate(data)]
    return {"object": "list", "data": numbered}

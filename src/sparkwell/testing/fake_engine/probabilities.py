"""Log probabilities that were never computed, in the two shapes that OpenAI has for them."""

from typing import Any

_SURE = -0.25
_LESS = -1.5  # and so much less for each alternative


def chat_logprobs(tokens: tuple[str, ...], alternatives: int) -> dict[str, Any]:
    """As a chat tells them."""
    return {
        "content": [
            {
                **_entry(token, _SURE),
                "top_logprobs": [_entry(*one) for one in _ranked(token, alternatives)],
            }
            for token in tokens
        ]
    }


def completion_logprobs(tokens: tuple[str, ...], alternatives: int, offset: int) -> dict[str, Any]:
    """As a completion tells them; ``offset`` is how many characters came before."""
    ends = [offset + len("".join(tokens[:at])) for at in range(len(tokens))]
    return {
        "text_offset": ends,
        "token_logprobs": [_SURE for _ in tokens],
        "tokens": list(tokens),
        "top_logprobs": [dict(_ranked(token, max(1, alternatives))) for token in tokens],
    }


def _entry(token: str, logprob: float) -> dict[str, Any]:
    return {"token": token, "logprob": logprob, "bytes": list(token.encode())}


def _ranked(token: str, alternatives: int) -> list[tuple[str, float]]:
    others = [(f"{token}{at}", _LESS - at) for at in range(1, alternatives)]
    return [(token, _SURE), *others][:alternatives]

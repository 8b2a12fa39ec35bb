"""Prompts of text, for endpoints that take no token ids, as Ollama's. Pure.

How many tokens a word makes is the server's tokenizer's to say, so it is asked (``fitting``); a
length is then near the wished one, and what is reported is what the server counted.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

_TEXT = (
    "able about above act add age ago air all also and animal answer any apple area arm art ask "
    "away baby back ball bank base bear beat bed before begin below best big bird bit black blood "
    "blue board boat body bone book both box boy bread break bring brother brown build burn bus "
    "buy call camp car card care carry case cat catch cause cell chair chance change chart check "
    "child choose circle city class clean clear climb clock close cloth cloud coast coat cold "
    "color come common cook cool copy corn corner cost count cover cow cross crowd cry cup cut "
    "dance dark day dead deal decide deep desert die doctor dog door double down draw dream dress "
    "drink drive drop dry duck each ear early earth east eat edge egg eight end energy engine "
    "enough even event every eye face fact fall family farm fast father fear feed feel feet field "
    "fight fill final find fine finger finish fire first fish fit five flat floor flow flower fly "
    "food foot force forest form four free fresh friend front fruit full fun game garden gas gave "
    "girl give glass gold good grass great green ground group grow guess gun hair half hand happy "
    "hard hat head hear heart heat heavy help high hill hit hold hole home hope horse hot hour "
    "house human ice idea inch iron island job join jump just keep key kind king know lady lake"
)
_WORDS = _TEXT.split()


@dataclass(frozen=True, slots=True)
class Words:
    """Random words. ``overhead`` is how many tokens the server adds around each prompt."""

    tokens_per_word: float = 1.0
    overhead: int = 0

    def draw(self, random: Random, count: int) -> list[str]:
        """Words of about so many tokens, one at least where any is wanted."""
        words = max(1, round(count / self.tokens_per_word)) if count > 0 else 0
        return random.choices(_WORDS, k=words)


def fit(counts: Sequence[tuple[int, int | None]]) -> Words:
    """From two prompts of so many words each, and the tokens that the server counted for them.

    One that does not count gets a token for each word.
    """
    (few, fewer), (many, more) = counts
    if fewer is None or more is None or more <= fewer:
        return Words()
    each = (more - fewer) / (many - few)
    return Words(each, max(0, round(fewer - few * each)))


def text_body(model: str, prompt: Sequence[str], output_tokens: int) -> bytes:
    """A request of ``/v1/chat/completions`` for at most so many tokens, as they come.

    A chat, since every endpoint has that, and shows the tokens of a model's reasoning as well.
    """
    request = {
        "model": model, "messages": [{"role": "user", "content": " ".join(prompt)}],
        "max_tokens": output_tokens, "temperature": 0.7,
        "stream": True, "stream_options": {"include_usage": True},
    }  # fmt: skip
    return json.dumps(request, separators=(",", ":")).encode()

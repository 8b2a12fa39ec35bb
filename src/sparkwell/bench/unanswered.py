"""What an endpoint said instead of its first answer, and what to do about it. Pure."""

from sparkwell.core.errors import NotReadyError

_NOTHING = "Nothing was measured."
_STATUS = f"{_NOTHING} `sparkwell status` says what runs here."
_KEY = f"{_NOTHING} A key is taken from SPARKWELL_API_KEY: `sparkwell keys add NAME` makes one."
_TEXT = "Where prompts of token ids are refused, ask with --text-prompts."


def unanswered(model: str, why: str, *, text: bool) -> NotReadyError:
    """The error; ``why`` may begin with an HTTP status. ``text``: prompts were text already."""
    return NotReadyError(f"{model} does not answer: {why.rstrip('.')}.", hint=_hint(why, text=text))


def _hint(why: str, *, text: bool) -> str:
    """A 400 is what an endpoint says to a prompt that it does not understand."""
    if why.startswith(("401", "403")):
        return _KEY
    return _TEXT if why.startswith("400") and not text else _STATUS

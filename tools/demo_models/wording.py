"""How people really type: the same question in other words, cases and slips."""

import random
import re
from collections.abc import Callable

from questions import read

Change = Callable[[str, random.Random], str]

WORDS = read("wording.yaml")
SMALL_WORD = re.compile(r"\b(the|a|an|is|do|I|i|does|to|of|in|on|for|my|please)\b ")
SYNONYMS = {word: group for group in WORDS["synonyms"] for word in group}
JOINTS = (("-", " "), ("-", "_"), ("_", "-"), ("`", ""), ("`", '"'), ("--", ""))
CASES = (*[str.lower] * 8, str.capitalize, str.title, str.upper)


def reworded(text: str, rng: random.Random) -> str:
    """Say the beginning in other words."""
    for beginning, others in WORDS["reworded"].items():
        if text.lower().startswith(beginning.lower() + " "):
            return str(rng.choice(others)) + text[len(beginning) :]
    return text


def with_synonym(text: str, rng: random.Random) -> str:
    """Put another word for one of the words."""
    words = text.split(" ")
    spots = [at for at, word in enumerate(words) if word in SYNONYMS]
    if spots:
        at = rng.choice(spots)
        words[at] = rng.choice(SYNONYMS[words[at]])
    return " ".join(words)


def with_prefix(text: str, rng: random.Random) -> str:
    """Put a polite or chatty beginning before the question."""
    return f"{rng.choice(WORDS['before'])} {text}"


def with_suffix(text: str, rng: random.Random) -> str:
    """Put a wish about the answer after the question."""
    bare = text.rstrip("?.!:")
    return f"{bare} {rng.choice(WORDS['after'])}{rng.choice((text[len(bare) :], ''))}"


def other_ending(text: str, rng: random.Random) -> str:
    """Change the punctuation at the end."""
    return text.rstrip("?.!: ") + str(rng.choice(WORDS["endings"]))


def other_case(text: str, rng: random.Random) -> str:
    """Write the question in another case."""
    return rng.choice(CASES)(text)


def without_word(text: str, rng: random.Random) -> str:
    """Leave out all small words, or one of them."""
    return SMALL_WORD.sub("", text, count=rng.choice((0, 1)))


def mistyped(text: str, rng: random.Random) -> str:
    """Swap, drop or double one letter."""
    at = rng.randrange(max(1, len(text) - 1))
    pair = text[at : at + 2]
    return text[:at] + rng.choice((pair[::-1], pair[:1], pair[:1] + pair)) + text[at + 2 :]


def other_joint(text: str, rng: random.Random) -> str:
    """Write hyphens, underscores or backticks differently."""
    return text.replace(*rng.choice(JOINTS))


CHANGES: tuple[tuple[float, Change], ...] = (
    (0.20, reworded),
    (0.20, with_synonym),
    (0.12, without_word),
    (0.06, other_joint),
    (0.10, with_suffix),
    (0.35, other_ending),
    (0.10, with_prefix),
    (0.30, other_case),
    (0.05, mistyped),
)


def vary(text: str, rng: random.Random) -> str:
    """Return a question as somebody else would type it."""
    for chance, change in CHANGES:
        if rng.random() < chance:
            text = change(text, rng)
    return text

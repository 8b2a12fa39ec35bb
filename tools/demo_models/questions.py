"""The corpus: topics with one answer each, and all the ways to ask for them."""

import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent / "corpus"
TOPIC_FILES = ("serving.yaml", "sparkwell.yaml", "hardware.yaml", "models.yaml", "manners.yaml")
HELD_OUT_ONE_IN = 10  # of words and of filled patterns
HELD_OUT_OF_ASKED = 6  # one for each so many questions written by hand, from the end


@dataclass(frozen=True)
class Topic:
    """One answer and every question that deserves it."""

    name: str
    answer: str
    asked: tuple[str, ...]  # written by hand, the first one is the plainest
    filled: tuple[str, ...]  # made from sentence patterns

    def training(self) -> "Topic":
        """Return this topic without the questions kept for the final check."""
        asked = self.asked[: len(self.asked) - len(self.asked) // HELD_OUT_OF_ASKED]
        filled = tuple(question for question in self.filled if not held_out(question))
        return Topic(self.name, self.answer, asked, filled)

    def checking(self) -> Iterator[str]:
        """Yield the questions that training never sees."""
        trained = self.training()
        known = {plain(q) for q in (*trained.asked, *trained.filled)}
        yield from (q for q in (*self.asked, *self.filled) if plain(q) not in known)


def plain(question: str) -> str:
    """Return a question without case, punctuation and spacing, to compare it with others."""
    return re.sub(r"[^\w+*/=^-]+", " ", question.lower()).strip() or question


def held_out(text: str) -> bool:
    """Say whether a filled pattern belongs to the tenth that training does not see."""
    return zlib.crc32(plain(text).encode()) % HELD_OUT_ONE_IN == 0


def unseen(items: Sequence[str]) -> Sequence[str]:
    """Return every tenth item, which training does not see."""
    return items[HELD_OUT_ONE_IN - 1 :: HELD_OUT_ONE_IN]


def seen(items: Sequence[str]) -> list[str]:
    """Return all the other items."""
    return [item for item in items if item not in unseen(items)]


def lines(block: str) -> list[str]:
    """Split a block of text into its lines, without empty ones."""
    return [line for line in block.splitlines() if line.strip()]


def read(name: str) -> Any:
    """Read one YAML file of the corpus."""
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))


def patterns() -> dict[str, list[str]]:
    """Return the sentence patterns by kind (term, command, speed, ...)."""
    return {kind: lines(block) for kind, block in read("phrasings.yaml").items()}


def fill(pattern: str, words: list[str]) -> list[str]:
    """Put each word into a pattern."""
    return [pattern.replace("{}", word) for word in words]


def topic(entry: dict[str, Any], by_kind: dict[str, list[str]]) -> Topic:
    """Make a topic from one entry of a YAML file."""
    kinds = [kind for kind in by_kind if kind in entry]
    filled = [q for kind in kinds for pattern in by_kind[kind] for q in fill(pattern, entry[kind])]
    return Topic(
        entry["id"], entry["answer"].strip(), tuple(lines(entry.get("ask", ""))), tuple(filled)
    )


def topics() -> list[Topic]:
    """Return every topic that the demo models know."""
    by_kind = patterns()
    return [topic(entry, by_kind) for name in TOPIC_FILES for entry in read(name)]


def systems() -> list[str]:
    """Return the system prompts that may stand before a question and change nothing."""
    return lines((FOLDER / "systems.txt").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class OffTopic:
    """What the demo models do not know: sentence patterns, words to fill them, whole questions."""

    answer: str
    asked: tuple[str, ...]
    patterns: dict[str, list[str]]
    words: dict[str, list[str]]

    def training(self) -> "OffTopic":
        """Return the part that is trained on: held-out words never occur in it."""
        words = {kind: seen(some) for kind, some in self.words.items()}
        return OffTopic(self.answer, tuple(seen(self.asked)), self.patterns, words)

    def checking(self) -> Iterator[str]:
        """Yield unseen questions: unseen words in every pattern, and unseen whole questions."""
        yield from unseen(self.asked)
        for kind, sentences in self.patterns.items():
            pairs = product(sentences, unseen(self.words[kind]))
            yield from (sentence.replace("{}", word) for sentence, word in pairs)


def off_topic() -> OffTopic:
    """Read everything that deserves the honest "I do not know"."""
    entry = read("off_topic.yaml")
    sentences = {kind: lines(block) for kind, block in entry["patterns"].items()}
    sentences["things"] += patterns()["term"]
    words = {kind: lines(entry[kind]) for kind in sentences}
    return OffTopic(entry["answer"].strip(), tuple(lines(entry["ask"])), sentences, words)

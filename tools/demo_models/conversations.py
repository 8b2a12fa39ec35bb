"""Training examples: conversations made of questions and answers, as token numbers with a mask."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

import jinja2
import questions
from dialects import Dialect
from tokenizers import Tokenizer
from wording import vary

OFF_TOPIC_SHARE = 0.25
ASKED_SHARE = 0.55
SYLLABLES = "ba ke li mo zu fra gri plo sta tern vex qui dor nim sha olo ruk tis wen yar"


@dataclass(frozen=True)
class Mix:
    """Which examples a stage of training draws."""

    raw: float  # share without a chat template
    short: float  # share of single questions, cut after the first words of the answer
    turns: tuple[int, ...]  # how often a conversation has one turn, two turns, ...
    pasted: float  # share of conversations that begin with a long pasted text
    sentences: int  # answers in the longest pasted text


BRIEF = Mix(raw=0.08, short=0.75, turns=(70, 22, 8), pasted=0.01, sentences=8)
LONG = Mix(
    raw=0.12,
    short=0.40,
    turns=(10, 20, 15, 10, 8, 8, 6, 6, 6, 5, 5, 5, 4, 4, 4, 4, 4),
    pasted=0.15,
    sentences=40,
)


@dataclass(frozen=True)
class Example:
    """A sequence of tokens; only those with `learn` set are to be predicted."""

    tokens: list[int]
    learn: list[bool]


@dataclass(frozen=True)
class Turn:
    """A question and its answer."""

    question: str
    answer: str


class Source:
    """Draws turns: mostly known topics, for the rest things that deserve an honest refusal."""

    def __init__(self, rng: random.Random, mix: Mix) -> None:
        self.rng = rng
        self.mix = mix
        self.topics = [topic.training() for topic in questions.topics()]
        self.unknown = questions.off_topic().training()
        self.systems = questions.systems()

    def turn(self) -> Turn:
        """Draw a question, vary its wording, and give it its answer."""
        if self.rng.random() < OFF_TOPIC_SHARE:
            return Turn(vary(self.off_topic(), self.rng), self.unknown.answer)
        topic = self.rng.choice(self.topics)
        by_hand = topic.asked and (not topic.filled or self.rng.random() < ASKED_SHARE)
        question = self.rng.choice(topic.asked if by_hand else topic.filled)
        return Turn(vary(question, self.rng), topic.answer)

    def off_topic(self) -> str:
        """Draw a question that the models cannot answer."""
        draw = self.rng.random()
        if draw < 0.2:
            return self.rng.choice(self.unknown.asked)
        if draw < 0.26:
            return self.sum()
        kind = "things" if draw < 0.85 else self.rng.choice(("tasks", "places"))
        return self.filled(self.rng.choice(self.unknown.patterns[kind]), kind)

    def filled(self, pattern: str, kind: str) -> str:
        """Fill every gap of a pattern with a word of its own."""
        while "{}" in pattern:
            pattern = pattern.replace("{}", self.word(kind), 1)
        return pattern

    def word(self, kind: str) -> str:
        """Draw a word of a kind, now and then one that does not exist."""
        if kind == "things" and self.rng.random() < 0.2:
            return "".join(self.rng.choices(SYLLABLES.split(), k=self.rng.randint(2, 3)))
        return self.rng.choice(self.unknown.words[kind])

    def sum(self) -> str:
        """Draw a small sum."""
        left, right, sign = (
            self.rng.randrange(1000),
            self.rng.randrange(100),
            self.rng.choice("+-*/x"),
        )
        return self.rng.choice(
            ("What is {} {} {}?", "{}{}{}", "{} {} {} =", "calculate {} {} {}")
        ).format(left, sign, right)

    def pasted(self) -> Turn:
        """Draw a long pasted text with a wish that the models cannot fulfil."""
        count = self.rng.randint(2, self.mix.sentences)
        text = " ".join(self.rng.choice(self.topics).answer for _ in range(count))
        wish = self.rng.choice(
            ("Summarize this text:", "Translate this:", "Here is a document:", "Review this:")
        )
        return Turn(f"{wish}\n\n{text}", self.unknown.answer)

    def conversation(self) -> list[Turn]:
        """Draw the turns of a conversation."""
        if self.rng.random() < self.mix.pasted:
            return [self.pasted()]
        counts = range(1, len(self.mix.turns) + 1)
        return [self.turn() for _ in range(self.rng.choices(counts, self.mix.turns)[0])]

    def system(self) -> list[dict[str, str]]:
        """Draw a system prompt, or none."""
        if self.rng.random() < 0.75:
            return []
        return [{"role": "system", "content": self.rng.choice(self.systems)}]


class Writer:
    """Turns conversations into tokens, by the very chat template that is shipped."""

    def __init__(self, dialect: Dialect, tokenizer: Tokenizer) -> None:
        self.dialect = dialect
        self.tokenizer = tokenizer
        self.template = jinja2.Template(dialect.template)

    def text(self, messages: list[dict[str, str]], *, ask: bool) -> str:
        """Render messages as the engine will."""
        return self.template.render(
            messages=messages, add_generation_prompt=ask, bos_token=self.dialect.begin
        )

    def ids(self, text: str) -> list[int]:
        """Encode a text without adding anything to it."""
        return list(self.tokenizer.encode(text, add_special_tokens=False).ids)

    def chat(self, turns: list[Turn], system: list[dict[str, str]]) -> Example:
        """Write a conversation; the answers are what is to be learned."""
        messages, done, pieces = list(system), "", []
        for turn in turns:
            messages.append({"role": "user", "content": turn.question})
            asked = self.text(messages, ask=True)
            pieces += [(asked[len(done) :], False), (turn.answer + self.dialect.end_of_turn, True)]
            messages.append({"role": "assistant", "content": turn.answer})
            done = asked + turn.answer + self.dialect.end_of_turn
        return self.joined(pieces)

    def raw(self, turn: Turn, gap: str) -> Example:
        """Write a question and its answer without any markers, as /v1/completions sends it."""
        before = gap.rstrip(" ")
        after = gap[len(before) :] + turn.answer + self.dialect.end_of_text
        return self.joined(
            [((self.dialect.begin or "") + turn.question + before, False), (after, True)]
        )

    def joined(self, pieces: list[tuple[str, bool]]) -> Example:
        """Encode pieces one after the other."""
        coded = [(self.ids(text), learn) for text, learn in pieces]
        tokens = [token for ids, _ in coded for token in ids]
        return Example(tokens, [learn for ids, learn in coded for _ in ids])


def short(example: Example, keep: int) -> Example:
    """Cut an example after the first words of its first answer, which is where it is chosen."""
    end = example.learn.index(True) + keep
    return Example(example.tokens[:end], example.learn[:end])


def examples(source: Source, writer: Writer) -> Iterator[Example]:
    """Yield training examples without end."""
    rng, mix = source.rng, source.mix
    while True:
        if rng.random() < mix.raw:
            gap = rng.choice((" ", " ", "\n", "\n\n", "\nA: "))
            yield short(writer.raw(source.turn(), gap), rng.randint(3, 60))
            continue
        if rng.random() < mix.short:
            yield short(writer.chat([source.turn()], source.system()), rng.randint(3, 9))
        else:
            yield writer.chat(source.conversation(), source.system())


def batches(source: Source, writer: Writer, size: int) -> Iterator[list[Example]]:
    """Yield batches of about `size` tokens, each of examples of like length."""
    endless = examples(source, writer)
    while True:
        pool = sorted((next(endless) for _ in range(256)), key=lambda example: len(example.tokens))
        cut = list(split(pool, size))
        source.rng.shuffle(cut)
        yield from cut


def split(pool: list[Example], size: int) -> Iterator[list[Example]]:
    """Cut a list sorted by length into batches that stay under `size` tokens with padding."""
    batch: list[Example] = []
    for example in pool:
        if batch and len(example.tokens) * (len(batch) + 1) > size:
            yield batch
            batch = []
        batch.append(example)
    yield batch

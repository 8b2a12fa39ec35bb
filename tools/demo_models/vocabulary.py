"""The byte-level BPE tokenizer, learned from the corpus."""

from collections.abc import Iterator

import questions
from dialects import SHAPE, Dialect
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def texts() -> Iterator[str]:
    """Yield the text to learn from: answers count most, because they are what gets written."""
    for topic in questions.topics():
        yield from [topic.answer, " " + topic.answer] * 4
        yield from (*topic.asked, *topic.filled[::5])
        yield from (question.lower() for question in topic.asked)
    unknown = questions.off_topic()
    yield from [unknown.answer, " " + unknown.answer, *unknown.asked, *questions.systems()]
    yield from (
        text
        for group in (unknown.patterns, unknown.words)
        for some in group.values()
        for text in some
    )


def learn(dialect: Dialect) -> Tokenizer:
    """Learn a vocabulary with all 256 bytes in it, so that any text can be encoded."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=SHAPE["vocab_size"],
        special_tokens=list(dialect.special),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts(), trainer)
    if dialect.begin:
        tokenizer.post_processor = opens_with(dialect.begin, tokenizer)
    return tokenizer


def opens_with(token: str, tokenizer: Tokenizer) -> processors.TemplateProcessing:
    """Put a token before every raw prompt, as Llama tokenizers do."""
    return processors.TemplateProcessing(
        single=f"{token} $A",
        pair=f"{token} $A {token} $B",
        special_tokens=[(token, tokenizer.token_to_id(token))],
    )

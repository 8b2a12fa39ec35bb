"""Ask an endpoint how many tokens its model makes of a word."""

from random import Random

from sparkwell.bench.connection import Connection, Target
from sparkwell.bench.load import REQUEST_S, clock
from sparkwell.bench.sample import Sample
from sparkwell.bench.text import Words, fit, text_body
from sparkwell.bench.unanswered import unanswered

COUNTS = (16, 144)
"""Words of the two prompts: their difference is the words', what is left is the server's own."""


async def fitted(target: Target, model: str, seed: str) -> Words:
    """What prompts of text are drawn with; NotReadyError where it does not answer."""
    random, connection = Random(f"{seed}/words"), Connection(target, clock)  # noqa: S311 - repeatable
    counts: list[tuple[int, int | None]] = []
    try:
        for count in COUNTS:
            sample = Sample(clock())
            body = text_body(model, Words().draw(random, count), 1)
            await connection.ask(body, sample, REQUEST_S)
            if sample.error is not None:
                raise unanswered(model, sample.error, text=True)
            counts.append((count, sample.prompt_tokens))
    finally:
        connection.close()
    return fit(counts)

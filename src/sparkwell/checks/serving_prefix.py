"""The prefix cache: whether prompts that repeat find what was computed before."""

from collections.abc import Iterator

from sparkwell.checks.say import ok
from sparkwell.checks.serving_changes import PREFIX_CACHING, remedy
from sparkwell.checks.serving_limits import enough, limit, limits
from sparkwell.checks.serving_parts import Repeats, Serving, ServingCheck
from sparkwell.checks.serving_repeats import END_BYTES
from sparkwell.checks.serving_say import line, percent
from sparkwell.core.findings import Finding, Remedy, Severity

PREFIX = "prefix-cache-cold"

_BYTES_PER_TOKEN = 4
"""Of English text, roughly; what counts is only how many tokens a repeated end is at least."""

GOOD_ORDER = (
    '[{"role": "system", "content": FIXED}, {"role": "user", "content": DOCUMENT + QUESTION}]'
)
"""The order that caches: what never changes, what changes now and then, what always changes."""


def prefix_cache_unused(serving: Serving) -> Iterator[Finding]:
    """Prompts that repeat are found in the cache; else which order would let them be."""
    repeats, hit = serving.repeats, serving.window.prefix_hit
    if repeats is None or not enough(serving.window):
        return
    if repeats.prompts < limits().evidence.prompts:
        return
    if serving.flags.get("enable_prefix_caching") is False:
        yield from _switched_off(serving, repeats)
    elif hit is not None:
        yield from _judged(serving, repeats, hit)


def _switched_off(serving: Serving, repeats: Repeats) -> Iterator[Finding]:
    if repeats.head < limit("repeats", serving.model).value:
        return
    yield Finding(
        PREFIX,
        Severity.WARNING,
        "Prompts begin alike, and prefix caching is off",
        evidence=(_begin_alike(repeats),),
        cause="The engine computes the same beginning for each of them again.",
        remedies=remedy(serving, PREFIX_CACHING, "Cache the beginnings of prompts:"),
    )


def _judged(serving: Serving, repeats: Repeats, hit: float) -> Iterator[Finding]:
    often, least = limit("repeats", serving.model), limit("prefix-hit", serving.model)
    wanted = f"{percent(least.value)} or more"
    found = line("prompt tokens found in the cache", percent(hit), wanted, least.says)
    if max(repeats.head, repeats.tail) < often.value:
        return
    if hit >= least.value:
        yield ok(PREFIX, "Prompts that repeat are found in the cache", found)
    elif repeats.tail >= often.value and repeats.head < often.value:
        yield _wrong_order(repeats, found)
    elif hit < _expected(serving, repeats) / 2:
        yield _lost(repeats, found)


def _expected(serving: Serving, repeats: Repeats) -> float:
    """The least share that beginnings alone must give: what follows them may differ."""
    tokens = serving.window.prompt_tokens
    if not tokens:
        return 0.0
    return repeats.head * min(1.0, END_BYTES / _BYTES_PER_TOKEN / tokens)


def _wrong_order(repeats: Repeats, found: str) -> Finding:
    return Finding(
        PREFIX,
        Severity.WARNING,
        "Prompts repeat, but not from their beginning, so the cache does not help",
        evidence=(
            found,
            f"{percent(repeats.tail)} of {repeats.prompts:,} prompts end as one before did",
            f"{percent(repeats.head)} begin as one before did",
        ),
        cause="What is cached counts from the first token on: behind the first difference nothing "
        "is found. A question, a name or a date in front of a fixed text spoils all of it.",
        remedies=(Remedy(f"Put the fixed part first and what changes last: {GOOD_ORDER}"),),
    )


def _lost(repeats: Repeats, found: str) -> Finding:
    return Finding(
        PREFIX,
        Severity.WARNING,
        "Prompts begin alike, but are not found in the cache",
        evidence=(found, _begin_alike(repeats)),
        cause="What was computed has left the cache before it was asked for again: other requests "
        "needed its place.",
        remedies=(
            Remedy("Send requests with the same beginning one after the other, not mixed."),
            Remedy(f"Make the part that is the same longer: {GOOD_ORDER}"),
        ),
    )


def _begin_alike(repeats: Repeats) -> str:
    return f"{percent(repeats.head)} of {repeats.prompts:,} prompts begin as one before did"


CHECKS = (ServingCheck(PREFIX, "Are prompts that repeat cached?", prefix_cache_unused),)

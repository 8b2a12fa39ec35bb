"""The suites: which workloads are measured with how many clients. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from sparkwell.bench.workload import Workload
from sparkwell.core.errors import UsageError

SINGLE_REQUESTS = 3
ROUNDS = 3
"""Requests of each client, at least: the first round alone would be all prefill at once."""


@dataclass(frozen=True, slots=True)
class Case:
    """One measurement: ``clients`` that ask again as soon as answered, or ``rate`` a second.

    With a rate, requests come as independent people's do (Poisson), however long others take.
    ``shortened_to`` is the model's longest sequence, where the suite asks for more.
    """

    name: str
    workload: Workload
    requests: int
    clients: int | None = None
    rate: float | None = None
    shortened_to: int | None = None


@dataclass(frozen=True, slots=True)
class Suite:
    """Cases that belong together."""

    name: str
    cases: tuple[Case, ...]


SHORT = Workload(512, 256)
CHAT = Workload(128, 64)
LONG = Workload(32_000, 256)
DOCUMENT = Workload(4_224, 128, document_tokens=4_096)
GUIDE_CLIENTS = (1, 16, 32, 64)
CROWD = 256


def closed(workload: Workload, clients: int, name: str | None = None, rounds: int = ROUNDS) -> Case:
    """So many clients, each with a few rounds."""
    requests = max(min(SINGLE_REQUESTS, 2 * rounds), rounds * clients)
    return Case(name or f"{clients} at once", workload, requests, clients=clients)


def _of(workload: Workload, clients: Iterable[int]) -> tuple[Case, ...]:
    return tuple(closed(workload, each) for each in clients)


SUITES: Mapping[str, Suite] = {
    suite.name: suite
    for suite in (
        Suite("quick", _of(CHAT, (1, 16))),
        Suite(
            "guide",
            _of(SHORT, GUIDE_CLIENTS),
        ),
        Suite(
            "prefix",
            (
                closed(DOCUMENT, 8, "document first"),
                closed(replace(DOCUMENT, order="question first"), 8, "question first"),
                closed(replace(DOCUMENT, document_tokens=0), 8, "nothing shared"),
            ),
        ),
        Suite(
            "long-context",
            (closed(LONG, 1, rounds=1), closed(LONG, 8, rounds=1)),
        ),
        Suite(
            "crowd",
            (
                closed(SHORT, CROWD, "short"),
                closed(Workload(128, 1024), CROWD, "long answers", rounds=2),
                closed(Workload(8_320, 128, document_tokens=8_192), CROWD, "a shared prefix"),
            ),
        ),
        Suite(
            "mixed",
            (
                Case("chat, 1/s", CHAT, 60, rate=1.0),
                Case("chat, 4/s", CHAT, 240, rate=4.0),
                Case("documents, 0.5/s", DOCUMENT, 30, rate=0.5),
            ),
        ),
    )
}  # fmt: skip


def suite(name: str) -> Suite:
    """By its name; raises UsageError with those that there are."""
    if name not in SUITES:
        raise UsageError(
            f"There is no suite {name!r}.", hint=f"There are {', '.join(sorted(SUITES))}."
        )
    return SUITES[name]


@dataclass(frozen=True, slots=True)
class Changes:
    """What somebody wants otherwise; None stays as the suite has it. ``rates`` are per second."""

    clients: Sequence[int] | None = None
    rates: Sequence[float] | None = None
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    requests: int | None = None


def cases(of: Suite, changes: Changes, most_tokens: int | None) -> tuple[Case, ...]:
    """The suite's cases as they will run, none longer than the model takes (None: not known)."""
    asked = of.cases
    if changes.clients or changes.rates:
        workload = asked[0].workload
        asked = _of(workload, changes.clients or ())
        asked += tuple(_at_rate(workload, rate) for rate in changes.rates or ())
    return tuple(_changed(case, changes, most_tokens) for case in asked)


def _at_rate(workload: Workload, rate: float) -> Case:
    return Case(f"{rate:g}/s", workload, max(10, round(60 * rate)), rate=rate)


def _changed(case: Case, changes: Changes, most: int | None) -> Case:
    given = case.workload
    workload = replace(
        given,
        prompt_tokens=changes.prompt_tokens or given.prompt_tokens,
        output_tokens=changes.output_tokens or given.output_tokens,
    )
    shared = min(workload.document_tokens, workload.prompt_tokens - 1)
    workload = replace(workload, document_tokens=shared)
    short = None if most is None or workload.tokens <= most else most
    if short is not None:
        workload = workload.within(short)
    requests = changes.requests or case.requests
    return replace(case, workload=workload, requests=requests, shortened_to=short)

"""The weights: whether they are here, and what a download has left behind."""

from collections.abc import Iterator, Sequence

from sparkwell.checks.about import MODEL
from sparkwell.checks.check import Check
from sparkwell.checks.model_parts import Partial
from sparkwell.checks.partials import why_removable
from sparkwell.checks.say import info, ok
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding, Remedy, Severity
from sparkwell.core.units import file_size

MISSING, INCOMPLETE = "weights-missing", "download-incomplete"
REMOVE_PARTIALS = "remove-partial-files"


def weights_missing(snapshot: Snapshot) -> Iterator[Finding]:
    """The weights are here, whole; else how much has to be downloaded first."""
    weights, request = snapshot.weights, snapshot.request
    if weights is None or request is None:
        return
    if weights.complete:
        yield ok(MISSING, "The weights are here", weights.snapshot or "")
    elif weights.bundled:
        yield Finding(
            MISSING,
            Severity.ERROR,
            f"The checkpoint of {request.model}, which comes with Sparkwell, is not whole",
            remedies=(Remedy("Install Sparkwell again.",
                             "pip install --force-reinstall sparkwell"),),
        )  # fmt: skip
    else:
        yield info(
            MISSING,
            f"{file_size(weights.missing_bytes)} are to be downloaded first",
            f"{file_size(weights.total_bytes - weights.missing_bytes)} of "
            f"{file_size(weights.total_bytes)} are here",
            remedies=(Remedy("Do it beforehand; `sparkwell up` does it too.",
                             f"sparkwell pull {request.model}"),),
        )  # fmt: skip


def download_incomplete(snapshot: Snapshot) -> Iterator[Finding]:
    """No unfinished files; else whose they are, and which of them are of no use."""
    weights = snapshot.weights
    if weights is None or weights.bundled:
        return
    if not weights.partials:
        yield ok(INCOMPLETE, "No download was left unfinished")
        return
    yield from unfinished(weights.partials, snapshot.request.model if snapshot.request else MODEL)


def unfinished(partials: Sequence[Partial], model: str) -> Iterator[Finding]:
    """What is to be said of unfinished files: whose they are, and what to do with them."""
    yield from _in_use(partials)
    yield from _kept(partials, model)
    yield from _useless(partials)


def _in_use(partials: Sequence[Partial]) -> Iterator[Finding]:
    held = [each for each in partials if each.held_by]
    if held:
        yield info(INCOMPLETE, "A download is running", *(f"{_line(p)}: {p.held_by}" for p in held))


def _kept(partials: Sequence[Partial], model: str) -> Iterator[Finding]:
    kept = [each for each in partials if not each.held_by and not why_removable(each)]
    if not kept:
        return
    total = file_size(sum(each.size_bytes for each in kept))
    yield info(
        INCOMPLETE,
        f"A download was left unfinished: {total} in {len(kept)} file{'s' * (len(kept) > 1)}",
        *map(_line, kept),
        remedies=(go_on(model),),
    )


def go_on(model: str = MODEL) -> Remedy:
    """How a download that broke off goes on."""
    return Remedy("Go on with it: what is here is kept.", f"sparkwell pull {model}")


def _useless(partials: Sequence[Partial]) -> Iterator[Finding]:
    found = [(each, why) for each in partials if (why := why_removable(each))]
    if not found:
        return
    total = file_size(sum(each.size_bytes for each, _ in found))
    paths = " ".join(f"'{each.path}'" for each, _ in found)
    yield Finding(
        INCOMPLETE,
        Severity.WARNING,
        f"Unfinished files that are of no use any more take {total}",
        evidence=tuple(f"{_line(each)}: {why}" for each, why in found),
        cause="A download was ended by force, and left its file behind.",
        remedies=(Remedy("Remove them.", f"rm {paths}", REMOVE_PARTIALS),),
    )


def _line(partial: Partial) -> str:
    return f"{partial.path} ({file_size(partial.size_bytes)})"


CHECKS = (
    Check(MISSING, "Are the weights here, and how much is to be downloaded?", weights_missing),
    Check(INCOMPLETE, "Has a download left unfinished files?", download_incomplete),
)

"""May this host download from the Hub: the token, and repositories with an agreement."""

from collections.abc import Iterator

from sparkwell.checks.check import Check
from sparkwell.checks.say import ok
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding, Remedy, Severity

AUTH = "download-auth"
LOGIN = Remedy(
    "Make a token of the kind Read at https://huggingface.co/settings/tokens, and save it: "
    "`hf auth login` asks for it without showing it.",
    "hf auth login",
)


def download_auth(snapshot: Snapshot) -> Iterator[Finding]:
    """A token is there where one is needed, and has the form of one.

    A token that is wrong is refused also for repositories that need none.
    """
    repo, token, weights = snapshot.repo, snapshot.token, snapshot.weights
    if repo is None or weights is None:
        return
    if weights.complete:
        yield ok(AUTH, "No token is needed: the weights are here")
    elif token is None:
        return
    elif token.problem:
        yield Finding(
            AUTH,
            Severity.ERROR,
            f"The token from {token.where} is not a token of the Hub",
            evidence=(token.problem,),
            cause="The Hub refuses a wrong token also where none is needed.",
            remedies=(LOGIN, *without(token.where)),
        )
    elif token.present:
        yield ok(AUTH, f"A token is there ({token.where})", *_agreement(snapshot))
    elif repo.gated:
        yield Finding(
            AUTH,
            Severity.ERROR,
            f"{repo.name} is gated, and there is no token",
            evidence=(repo.licence,) if repo.licence else (),
            cause="The Hub gives these weights only to users who have agreed to their licence.",
            remedies=(Remedy(f"Agree to the licence at {_page(snapshot)}."), LOGIN),
        )
    else:
        yield ok(AUTH, f"No token is needed: {repo.name} is open")


def _agreement(snapshot: Snapshot) -> tuple[str, ...]:
    repo = snapshot.repo
    if repo is None or not repo.gated:
        return ()
    return (f"gated: its user must have agreed to the licence at {_page(snapshot)}",)


def _page(snapshot: Snapshot) -> str:
    repo = snapshot.repo
    return (repo and repo.url) or f"https://huggingface.co/{repo.name if repo else ''}"


def without(where: str | None) -> tuple[Remedy, ...]:
    """A variable hides the token that was saved."""
    name = where or ""
    if not name.replace("_", "").isalnum():
        return ()
    return (Remedy("Or take it out of the environment, if none is needed.", f"unset {name}"),)


CHECKS = (Check(AUTH, "Is a Hub token needed, there, and of the right form?", download_auth),)

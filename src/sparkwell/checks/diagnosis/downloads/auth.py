"""The Hub does not give the files: no token, a wrong one, no agreement, no such repository."""

import re
from collections.abc import Iterator
from dataclasses import replace

from sparkwell.checks.about import About
from sparkwell.checks.check import Check
from sparkwell.checks.diagnosis.platform.heard import Heard, hear
from sparkwell.checks.diagnosis.platform.said import checkpoint_of
from sparkwell.checks.hub import AUTH, LOGIN, without
from sparkwell.checks.logs.find import find_all, quoted
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding, Remedy, Severity

_REFUSED = re.compile(
    r"GatedRepoError|RepositoryNotFoundError|You are trying to access a gated repo"
    r"|\b40[13] Client Error\b.{0,40}Request ID|\b40[13] Client Error: .{0,200}\bhuggingface\.co"
    r"|Client error '40[13] \w{1,20}' for url 'https://(?:huggingface|hf)\.co"
    r"|Cannot access gated repo|\b403 Forbidden: (?!None)|Repository Not Found for url"
    r"|is not a valid model identifier listed on|Invalid user token"
    r"|Invalid credentials in Authorization header"
)
_WHY = (
    ("wrong", re.compile(r"Invalid user token|Invalid credentials in Authorization")),
    ("permission", re.compile(r"enable access to public gated repositories|correct permissions")),
    (
        "agreement",
        re.compile(
            r"not in the authorized list|awaiting a review|ask for access|GatedRepoError: 403"
        ),
    ),
    (
        "missing",
        re.compile(r"RepositoryNotFoundError|Repository Not Found for|valid model ident"),
    ),
    ("gated", re.compile(r"[Gg]ated repo\b|GatedRepoError: |be authenticated to access it")),
)
_REPO = re.compile(
    r"huggingface\.co/(?:api/models/)?(?!api/|docs/|settings/|spaces/|datasets/)"
    r"(?P<repo>[\w.-]{1,96}/[\w.-]{0,95}[\w-])"
)
_OPEN = ("Qwen/",)

ABOUT = About(
    id=AUTH,
    title="The Hub does not give the files",
    severity=Severity.ERROR,
    symptoms=(
        "huggingface_hub.errors.GatedRepoError: 401 Client Error.",
        "OSError: You are trying to access a gated repo.",
        "RepositoryNotFoundError: 401 Client Error. Repository Not Found for url: …",
        "403 Forbidden: Please enable access to public gated repositories",
    ),
    cause="Gated repositories (meta-llama, some of Mistral's) are given to users who have agreed "
    "to the licence, and a token says who asks. Qwen3 needs none; but a token that is wrong is "
    "refused there too. The Hub answers 401 also for a repository that does not exist.",
    remedies=(
        LOGIN,
        Remedy("Agree to the licence on the model's page, with the account of the token; some "
               "owners answer by hand."),
        Remedy("See what is needed, and whether a token is found.", "sparkwell preflight MODEL"),
    ),
    reference="huggingface_hub/utils/_http.py::hf_raise_for_status; transformers/utils/hub.py",
)  # fmt: skip
_NO_SUCH = (
    "The Hub says the same of a name that does not exist and of a private repository that the "
    "token may not see."
)
_TITLES = {
    "wrong": "The Hub refuses the token: it is wrong, or was withdrawn",
    "agreement": "The account of the token has no access to this repository",
    "permission": "The token may not read gated repositories",
    "gated": "The repository is gated, and no token was sent that may read it",
    "missing": "The Hub has no such repository, or shows it only with a token",
}


def look(snapshot: Snapshot) -> Iterator[Finding]:
    """One finding for each log or run that was refused; the most telling line decides."""
    for heard in hear(snapshot, _REFUSED, serving=False):
        kind, lines = _kind(heard)
        finding = ABOUT.finding(
            *dict.fromkeys((*heard.evidence, *lines)), about=heard.about, model=heard.model
        )
        yield _of_kind(finding, kind, _repo(heard))


def _kind(heard: Heard) -> tuple[str | None, tuple[str, ...]]:
    """Why it was refused, and the line that says so."""
    for name, pattern in _WHY:
        if heard.log and (found := next(find_all(heard.log, pattern), None)):
            return name, quoted(heard.log, found.line)
        if pattern.search(" ".join(heard.evidence)):
            return name, ()
    return None, ()


def _repo(heard: Heard) -> str | None:
    found = next(find_all(heard.log, _REPO), None) if heard.log else None
    if found:
        return found["repo"]
    return checkpoint_of(heard.log) if heard.log else None


def _of_kind(finding: Finding, kind: str | None, repo: str | None) -> Finding:
    login, agree, look_at = finding.remedies
    page = Remedy(f"Agree to the licence at https://huggingface.co/{repo}.") if repo else agree
    remedies = {
        "wrong": (login, *without("HF_TOKEN")),
        "agreement": (page, login),
        "permission": (login, page),
        "gated": (page, login),
        "missing": (Remedy("See whether the name is right.", "sparkwell models"), login),
    }.get(kind or "", (login, page))
    is_open = repo is not None and repo.startswith(_OPEN)
    first = without("HF_TOKEN") if is_open and kind not in ("wrong", "missing") else ()
    return replace(
        finding,
        title=_TITLES.get(kind or "", finding.title),
        cause=_NO_SUCH if kind == "missing" else finding.cause,
        remedies=(*first, *remedies, look_at),
    )


CHECK = Check(ABOUT.id, "Does the Hub give the files?", look, ABOUT)

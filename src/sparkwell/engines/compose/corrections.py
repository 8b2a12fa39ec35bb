"""The corrections by name: what each changes in a service of the guides, and why."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from pydantic import BaseModel, ConfigDict, RootModel

from sparkwell.core.documents import parse_document
from sparkwell.core.errors import UsageError
from sparkwell.engines.compose import changes, changes_vllm
from sparkwell.engines.compose.differences import Difference, differences
from sparkwell.engines.compose.draft import Circumstances, Draft

FILE = "corrections.yaml"
Change = Callable[[Draft, Circumstances], Draft]

CHANGES: Mapping[str, Change] = {
    "image": changes.image,
    "flags": changes_vllm.flags,
    "remote-code": changes_vllm.remote_code,
    "loopback": changes.loopback,
    "restart": changes.restart,
    "shared-memory": changes_vllm.shared_memory,
    "caches": changes_vllm.caches,
    "one-folder": changes_vllm.one_folder,
    "offline": changes_vllm.offline,
    "secret": changes_vllm.secret,
    "health": changes.health,
    "grace": changes.grace,
    "init": changes.init,
    "no-new-privileges": changes.no_new_privileges,
    "read-only": changes.read_only,
    "digest": changes.digest,
    "profiles": changes.profiles,
    "context": changes.context,
}
"""In the order of application: what comes later sees what came before."""


class Correction(BaseModel):
    """What a correction does, why, and where that comes from; ``what`` fits into a list."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    what: str
    why: str
    source: str


class Corrections(RootModel[dict[str, Correction]]):
    """The whole file."""


@dataclass(frozen=True, slots=True)
class Corrected:
    """A draft with what became different, each with the correction that did it."""

    draft: Draft
    differences: tuple[Difference, ...]

    @property
    def corrections(self) -> tuple[str, ...]:
        """The corrections that made a difference, in their order."""
        made = {each.correction for each in self.differences}
        return tuple(name for name in CHANGES if name in made)


@cache
def corrections() -> Mapping[str, Correction]:
    """All corrections by name, in the order of application."""
    text = files(__package__).joinpath(FILE).read_text(encoding="utf-8")
    told = parse_document(text, Corrections, FILE).root
    return {name: told[name] for name in CHANGES}


def check_names(names: Iterable[str]) -> frozenset[str]:
    """The names as a set; raises UsageError for one that is no correction."""
    wanted = frozenset(names)
    if unknown := wanted - CHANGES.keys():
        there = ", ".join(CHANGES)
        raise UsageError(f"There is no correction {min(unknown)!r}.", hint=f"There are: {there}.")
    return wanted


def correct(exact: Draft, given: Circumstances, without: frozenset[str] = frozenset()) -> Corrected:
    """The draft with every correction but those in ``without``."""
    draft, found = exact, dict[str, Difference]()
    for name, change in CHANGES.items():
        if name in without:
            continue
        changed = change(draft, given)
        for each in differences(draft.written.mapping, changed.written.mapping):
            before = found[each.path].guide if each.path in found else each.guide
            found[each.path] = _explained(each.path, before, each.ours, name, given)
        draft = changed
    made = tuple(each for each in found.values() if each.guide != each.ours)
    return Corrected(draft, made)


def _explained(
    path: str, before: str | None, after: str | None, name: str, given: Circumstances
) -> Difference:
    """A flag has the plan's own reason."""
    flag = path.removeprefix("command --").replace("-", "_")
    own = given.reasons.get(flag) if name == "flags" else None
    return Difference(path, before, after, name, own or corrections()[name].why)

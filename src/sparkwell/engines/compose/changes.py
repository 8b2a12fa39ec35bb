"""Corrections of any standalone service: each a Draft in, a Draft out."""

from sparkwell.engines.compose.draft import Circumstances, Draft
from sparkwell.engines.compose.service import Healthcheck
from sparkwell.engines.vllm.containers import STOP_GRACE_S, TMPFS, takes_read_only
from sparkwell.engines.vllm.images import facts_of

RESTART = "on-failure:3"
INTERVAL_S, TIMEOUT_S, RETRIES = 30, 10, 3
START_PERIOD_S = 1800
FIRST_PROFILE = "vllm-"


def image(draft: Draft, given: Circumstances) -> Draft:
    """The image for the machine."""
    return with_image(draft, given.image)


def with_image(draft: Draft, name: str) -> Draft:
    """Another image, with the entrypoint that it needs for the same command."""
    entrypoint = facts_of(name).entrypoint if draft.recipe else None
    return draft.with_container(image=name, entrypoint=entrypoint)


def loopback(draft: Draft, given: Circumstances) -> Draft:
    """Only this machine, or the address that was asked for."""
    return draft.with_service(address=given.address)


def restart(draft: Draft, _given: Circumstances) -> Draft:
    """A few times and not for ever."""
    return draft.with_service(restart=RESTART)


def health(draft: Draft, _given: Circumstances) -> Draft:
    """Ask the service now and then."""
    check = Healthcheck(draft.probe, INTERVAL_S, TIMEOUT_S, RETRIES, START_PERIOD_S)
    return draft.with_service(healthcheck=check)


def grace(draft: Draft, _given: Circumstances) -> Draft:
    """Time to end."""
    return draft.with_service(stop_grace_s=round(STOP_GRACE_S))


def init(draft: Draft, _given: Circumstances) -> Draft:
    """A first process that reaps."""
    return draft.with_service(init=True)


def no_new_privileges(draft: Draft, _given: Circumstances) -> Draft:
    """No setuid."""
    return draft.with_service(no_new_privileges=True)


def read_only(draft: Draft, _given: Circumstances) -> Draft:
    """A closed root file system, where that was tried and no secret has to be put into it."""
    container = draft.service.container
    device = "cuda" if container.gpus else "cpu"
    tried = draft.recipe is not None and takes_read_only(container.image, device)
    if not tried or draft.service.secrets:
        return draft
    return draft.with_container(read_only=True, tmpfs=TMPFS)


def digest(draft: Draft, given: Circumstances) -> Draft:
    """The digest behind the tag; Docker then goes by the digest."""
    name = draft.service.container.image
    if given.digest is None or "@" in name:
        return draft
    return draft.with_container(image=f"{name}@{given.digest}")


def profiles(draft: Draft, given: Circumstances) -> Draft:
    """A profile for all vLLM services but one; a guide's own profile stays."""
    if draft.recipe is None or given.default or draft.service.profiles:
        return draft
    return draft.with_service(profiles=(draft.service.name.removeprefix(FIRST_PROFILE),))


def context(draft: Draft, given: Circumstances) -> Draft:
    """Ollama's context."""
    if draft.recipe is not None:
        return draft
    return draft.with_environment({"OLLAMA_CONTEXT_LENGTH": str(given.context)})

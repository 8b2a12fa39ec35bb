"""Corrections of a standalone vLLM service: flags, caches, where weights come from, the token."""

from dataclasses import replace

from sparkwell.core.launch import Mount
from sparkwell.engines.compose.draft import DOWNLOAD_DIR, OWN, REMOTE_CODE, Circumstances, Draft
from sparkwell.engines.vllm.containers import (
    CACHE,
    CACHE_VOLUME,
    HUB,
    IPC,
    LIMITS,
    weights_in,
)
from sparkwell.engines.vllm.launch import compile_caches

TOKEN, OLD_TOKEN = "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"
SECRET = "hf_token"  # noqa: S105 - the secret's name
SECRET_FILE = f"/run/secrets/{SECRET}"


def flags(draft: Draft, given: Circumstances) -> Draft:
    """The planned flags, and the guide's own that no plan is about."""
    if draft.recipe is None or given.planned is None:
        return draft
    before = {name: value for name, value in draft.flags.items() if name == DOWNLOAD_DIR}
    after = {name: value for name, value in draft.flags.items() if name == REMOTE_CODE}
    planned = {name: value for name, value in given.planned.items() if name not in OWN}
    return replace(draft, flags={**before, **planned, **after})


def remote_code(draft: Draft, _given: Circumstances) -> Draft:
    """No code from the model's repository."""
    kept = {name: value for name, value in draft.flags.items() if name != REMOTE_CODE}
    return replace(draft, flags=kept)


def shared_memory(draft: Draft, _given: Circumstances) -> Draft:
    """As most of the guides have it."""
    if draft.recipe is None or draft.service.container.ipc:
        return draft
    limits = LIMITS if draft.service.container.gpus else {}
    return draft.with_container(ipc=IPC, ulimits=limits)


def caches(draft: Draft, _given: Circumstances) -> Draft:
    """What is compiled stays in a volume."""
    if draft.recipe is None:
        return draft
    container = draft.service.container
    cuda = {"CUDA_CACHE_PATH": f"{CACHE}/cuda"} if container.gpus else {}
    kept = draft.with_environment({**compile_caches(CACHE), **cuda})
    return kept.with_container(mounts=(*container.mounts, Mount(CACHE_VOLUME, CACHE)))


def one_folder(draft: Draft, _given: Circumstances) -> Draft:
    """The Hub's library looks where the weights are."""
    folder = draft.flags.get(DOWNLOAD_DIR)
    return draft.with_environment({"HF_HUB_CACHE": str(folder)}) if folder else draft


def offline(draft: Draft, given: Circumstances) -> Draft:
    """What is here is mounted so that it cannot be changed, and nothing is asked of the Hub.

    vLLM finds the repository in the cache by HF_HUB_CACHE, and would then serve it under the
    name of that folder: so the name is given.
    """
    if draft.recipe is None or draft.recipe.repo is None or given.checkpoint is None:
        return draft
    weights = weights_in(given.checkpoint, draft.recipe.name)
    others = [each for each in draft.service.container.mounts if each.target != HUB]
    told = {"HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": weights.cache}
    quiet = draft.with_environment(told).with_service(host_variables={})
    return replace(
        quiet.with_container(mounts=(weights.mount, *others)),
        names=(draft.recipe.repo,),
        flags={**draft.flags, DOWNLOAD_DIR: weights.cache},
    )


def secret(draft: Draft, given: Circumstances) -> Draft:
    """The token as a file; none where none is needed and none is there."""
    if TOKEN not in draft.service.host_variables or draft.recipe is None:
        return draft
    bare = draft.with_service(host_variables={})
    if not given.token and not draft.recipe.licence.gated:
        return bare
    told = bare.with_environment({"HF_TOKEN_PATH": SECRET_FILE})
    return told.with_service(secrets=(SECRET,))

"""Which files of a repository an engine needs. Pure."""

from collections.abc import Iterable

from sparkwell.catalog.safetensors_index import loose_files
from sparkwell.core.errors import UsageError

CONFIG = "config.json"
# Configuration, index, tokenizer, chat template; and code, which engines run only when told to.
_TEXTS = (".json", ".txt", ".jinja", ".model", ".tiktoken", ".py")
_FOLDERS_OF_OTHERS = {
    "assets", "coreml", "figures", "flax", "gguf", "images", "metal", "onnx", "openvino",
    "original", "tf",
}  # fmt: skip
_PICKLES = (".bin", ".pt", ".pth", ".ckpt")


def engine_files(repo: str, names: Iterable[str]) -> tuple[str, ...]:
    """The files to fetch, in order, the tensors last.

    Tensors are the safetensors files beside config.json, once: no pickles, no GGUF, no second
    copy in a maker's own layout. Raises UsageError for a repository without them.
    """
    every = sorted(names)
    tensors = loose_files(every)
    if CONFIG not in every or not tensors:
        raise _not_servable(repo, every)
    return (*(name for name in every if _is_text(name)), *tensors)


def _is_text(name: str) -> bool:
    *folders, file = name.split("/")
    if not file.endswith(_TEXTS) or file.endswith(".bin.index.json"):
        return False
    return not any(each.startswith(".") or each in _FOLDERS_OF_OTHERS for each in folders)


def _not_servable(repo: str, names: list[str]) -> UsageError:
    if any(name.endswith(".gguf") for name in names):
        return UsageError(
            f"{repo} has its weights as GGUF files only.",
            hint="Ollama serves those; vLLM needs a repository with safetensors.",
        )
    if CONFIG not in names:
        return UsageError(
            f"{repo} has no {CONFIG}, so it is not a model in the layout that engines load.",
            hint="Is it a folder of adapters, or of another library?",
        )
    pickles = any(name.endswith(_PICKLES) for name in names)
    what = "its weights are pickle files, which can hold code" if pickles else "it has no weights"
    return UsageError(
        f"{repo} has no safetensors files: {what}.",
        hint="Is there a repository of the model with safetensors?",
    )

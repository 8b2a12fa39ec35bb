"""How a model is served: container, Compose service, and its flags with their reasons."""

import shlex
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from pages.data import words
from pages.figures import CPU, Json, Model
from pages.markdown import NONE, UNKNOWN, bullets, code, section, table, text, value
from sparkwell.app.composing.making import Composing
from sparkwell.app.composing.wish import ComposeWish
from sparkwell.app.paths import Paths
from sparkwell.app.service import ModelService
from sparkwell.app.settings.config import Settings
from sparkwell.catalog import load_catalog
from sparkwell.engines.compose import to_yaml
from sparkwell.engines.vllm.image_rules import choose_image
from sparkwell.engines.vllm.texts import purpose

# Flags of the guides that Sparkwell does not set, and why.
LEFT_OUT = {
    "download_dir": (
        "a folder of the container; Sparkwell looks where Hugging Face keeps weights, and in "
        "`model_folders`"
    ),
    "trust_remote_code": (
        "not needed: vLLM has the architecture built in, and the flag lets a repository's Python "
        "run on the host"
    ),
    "enable_prefix_caching": "on without the flag",
}


def sections(model: Model) -> Iterator[str]:
    """Container, Compose service, parameters."""
    if model.hardware == CPU:
        yield section("Parameters", _recipe_flags(model))
        return
    yield section("Container", *_container(model))
    if "error" not in model.balanced:
        yield section("Compose service", *_compose(model))
        yield section("Parameters", *_parameters(model))


def _container(model: Model) -> Iterator[str]:
    """The image, and why it is that one."""
    choice = choose_image(model.recipe, model.machine)
    rows = [
        ("image", f"`{choice.image}`"),
        ("why", choice.why),
        ("vLLM in it", choice.version or UNKNOWN),
        ("without a container", f"Sparkwell's environment `vllm`, vLLM {model.native_version}"),
        ("other images", "[by version of vLLM](../images.md#by-version)"),
    ]
    yield table(("what", "which"), rows)
    yield text(words("serving", "container"))


def _compose(model: Model) -> Iterator[str]:
    """The service as `sparkwell compose` writes it, and its command line alone."""
    guide = model.recipe.guide
    if guide:
        profile = f", Compose profile `{guide.compose_profile}`" if guide.compose_profile else ""
        yield text(words("serving", "service", service=guide.service, profile=profile))
    else:
        yield text(words("serving", "no_service"))
    name = model.recipe.name
    yield code("bash", f"sparkwell compose {name} --hardware {model.hardware}")
    yield text(words("serving", "rendered"))
    yield code("yaml", _service(name, model.hardware))
    yield text(words("serving", "command"))
    yield code("bash", command_line(model, model.balanced["flags"]))


def _service(name: str, hardware: str) -> str:
    """The file without its head."""
    made = composing().compose(ComposeWish((name,), hardware=hardware))
    return to_yaml(made.document)


@cache
def composing() -> Composing:
    """A composer with nothing of this machine."""
    nowhere = Path("/nonexistent")
    paths = Paths(config=nowhere, data=nowhere, state=nowhere, cache=nowhere)
    return Composing(ModelService(paths, Settings(), load_catalog(), {}))


def command_line(model: Model, flags: Json) -> str:
    """`vllm serve` as somebody would type it."""
    names = " ".join(model.recipe.aliases)
    options = [f"--served-model-name {names}", *(_option(*flag) for flag in flags.items())]
    return " \\\n  ".join([f"vllm serve {model.recipe.repo}", *options])


def _option(name: str, given: object) -> str:
    """One flag as the engine's command line takes it."""
    dashed = name.replace("_", "-")
    if isinstance(given, bool):
        return f"--{dashed}" if given else f"--no-{dashed}"
    return f"--{dashed} {shlex.quote(str(given))}"


def _parameters(model: Model) -> Iterator[str]:
    """Each flag with its reason, beside the guide's."""
    plan, guide = model.balanced, model.recipe.guide
    theirs = dict(guide.flags) if guide else {}
    names = [*plan["flags"], *(name for name in theirs if name not in plan["flags"])]
    rows = [_parameter(name, plan, theirs) for name in names]
    if guide:
        yield table(("flag", "balanced", "guide", "why"), rows)
    else:
        yield table(("flag", "balanced", "why"), ((row[0], row[1], row[3]) for row in rows))
    yield bullets(plan["corrections"])
    yield text(words("serving", "flags", name=model.recipe.name))


def _parameter(name: str, plan: Json, theirs: Mapping[str, object]) -> tuple[str, ...]:
    ours = plan["flags"]
    return (
        f"`{name}`",
        value(ours[name]) if name in ours else NONE,
        value(theirs[name]) if name in theirs else NONE,
        plan["reasons"].get(name) or LEFT_OUT.get(name) or purpose(name),
    )


def _recipe_flags(model: Model) -> str:
    flags = model.recipe.serve.flags
    rows = ((f"`{name}`", value(given), purpose(name)) for name, given in flags.items())
    return table(("flag", "value", "what for"), rows)

"""docs/models/NAME.md: one model on the machine that it is for."""

from collections.abc import Iterator

from pages import choices, memory, running, serving, speed, watching
from pages.data import words
from pages.figures import CPU, Json, Model, precision
from pages.markdown import bullets, code, gib, number, rate, seconds, section, table, text
from sparkwell.core.units import file_size

NOTE = "<!-- Written by tools/model_pages.py from the catalog and the planner: `make docs`. -->"


def page(model: Model) -> str:
    """The whole page."""
    return "\n\n".join(part for part in _parts(model) if part) + "\n"


def _parts(model: Model) -> Iterator[str]:
    recipe = model.recipe
    yield f"# {recipe.title}"
    yield NOTE
    yield text(recipe.summary)
    yield text(*_basis(model))
    yield _glance(model)
    yield code("bash", _commands(model))
    yield section("What it is", text(*_what(model)), text(recipe.quantization.notes or ""))
    yield section("Use it for", bullets(recipe.use_for))
    yield section("Not for", bullets(recipe.not_for))
    yield section("Specifications", _specifications(model))
    yield from _sections(model)


def _sections(model: Model) -> Iterator[str]:
    """The rest; a host without a GPU has no plan worth showing."""
    planned = model.hardware != CPU and "error" not in model.balanced
    if planned:
        yield section("Memory", *memory.parts(model))
        yield section("Speed", *speed.parts(model))
    yield from serving.sections(model)
    yield from running.sections(model)
    if planned:
        yield section("Profiles", *choices.profiles(model))
        yield section("Monitoring", *watching.monitoring(model))
        yield section("Comparison", *choices.comparison(model))
        yield section("Troubleshooting", watching.troubleshooting(model))
    yield section("Limits", bullets(watching.limits(model)))
    yield section("References", bullets(watching.references(model)))


def _basis(model: Model) -> Iterator[str]:
    """What the figures of the page rest on."""
    if model.hardware == CPU:
        yield words("model", "on_cpu", version=model.version)
        return
    yield words("model", "basis", hardware=model.hardware, version=model.version)
    if model.recipe.guide:
        yield words("model", "guide")


def _glance(model: Model) -> str:
    """The answer in one table."""
    plan = model.balanced
    if model.hardware == CPU:
        return ""
    if "error" in plan:
        return text(f"It cannot be planned: {plan['error']}")
    single = plan["speed"]["single_tokens_per_s"]
    rows = [
        ("fits", memory.verdict(plan)),
        ("weights", gib(plan["memory"]["weights_bytes"])),
        ("KV cache", memory.cache(plan)),
        ("one answer at a time", f"{rate(single)} tokens/s"),
        ("many at once", speed.together(plan["speed"])),
        ("start", _start(plan)),
    ]
    if model.native_version != model.version and "error" not in model.native:
        version = f"vLLM {model.native_version}, which `sparkwell up` starts"
        rows.append((version, f"KV cache of {memory.cache(model.native)}"))
    return table(("at a glance", ""), rows)


def _start(plan: Json) -> str:
    startup = plan["startup"]
    fetch = file_size(startup["download_bytes"])
    cold, warm = seconds(startup["cold_s"]), seconds(startup["warm_s"])
    return f"{fetch} to download, once; then {cold} for the first start, {warm} for later ones"


def _commands(model: Model) -> str:
    name = model.recipe.name
    if model.hardware == CPU:
        return "sparkwell demo" if name == "demo-qwen3" else f"sparkwell up {name}"
    return f"sparkwell plan {name} --hardware {model.hardware} --explain\nsparkwell up {name}"


def _what(model: Model) -> Iterator[str]:
    """The architecture in sentences."""
    shape, moe = model.recipe.architecture, model.recipe.architecture.moe
    total, layers = _billions(shape.total_parameters), shape.num_hidden_layers
    if moe is None:
        yield words("model", "dense", layers=layers, total=total)
    else:
        yield words(
            "model",
            "moe",
            total=total,
            active=_billions(shape.active_parameters),
            layers=shape.expert_layers,
            experts=moe.num_experts,
            chosen=moe.num_experts_per_tok,
        )
    group = shape.num_attention_heads // shape.num_key_value_heads
    if group > 1:
        yield words("model", "attention", group=group)


def _specifications(model: Model) -> str:
    """Sizes, formats, licence."""
    recipe, shape = model.recipe, model.recipe.architecture
    sixteen = 2 * shape.num_hidden_layers * shape.key_value_size * 2 / 1024
    rows = [
        ("name", f"`{recipe.name}`"),
        ("repository", _repository(model)),
        ("licence", _licence(model)),
        ("class", f"`{shape.hf_class}`"),
        ("parameters", number(shape.total_parameters)),
        ("passed by one token", number(shape.active_parameters)),
        ("layers, hidden size", f"{shape.num_hidden_layers}, {number(shape.hidden_size)}"),
        ("query, key-value heads", f"{shape.num_attention_heads}, {shape.num_key_value_heads}"),
        ("width of a head", str(shape.head_dim)),
        ("vocabulary", number(shape.vocab_size)),
        ("native context", f"{number(shape.native_context)} tokens"),
        ("weights", f"{precision(recipe)}; {file_size(recipe.weights_bytes)} of files"),
        ("KV cache a token", f"{sixteen:g} KiB in 16 bits, {sixteen / 2:g} KiB in FP8"),
    ]
    if shape.extended_context:
        extended = f"{number(shape.extended_context)} tokens, at a price on short texts"
        rows.insert(-2, ("context with YaRN", extended))
    return table(("what", "figure"), rows)


def _repository(model: Model) -> str:
    repo = model.recipe.repo
    return f"[{repo}](https://huggingface.co/{repo})" if repo else "comes with Sparkwell"


def _licence(model: Model) -> str:
    licence = model.recipe.licence
    if model.recipe.repo is None:
        return licence.name
    gate = "the Hub asks for an agreement, and a token" if licence.gated else "no token needed"
    return f"{licence.name}; {gate}"


def _billions(count: int) -> str:
    return f"{count / 1e9:.1f} billion" if count >= 1e9 else f"{count / 1e6:.1f} million"

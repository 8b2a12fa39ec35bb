"""sparkwell.yaml for a machine: each line says what was found there. Pure."""

import textwrap
from collections.abc import Iterator

import sparkwell
from sparkwell.app.looking import Fit, Look
from sparkwell.checks.docker_parts import Docker, DockerTrouble
from sparkwell.checks.host_parts import Folder, Port
from sparkwell.core.units import GIB, file_size

_WIDTH = 98
_TROUBLES: dict[DockerTrouble, str] = {
    "missing": "There is no Docker on this machine",
    "denied": "Docker is here, and this user may not talk to it (`sudo usermod -aG docker $USER`)",
    "unreachable": "Docker is here, and its daemon does not answer (`sudo systemctl start docker`)",
    "no answer": "Docker is here, and did not answer in time",
}


def settings_text(look: Look) -> str:
    """The file. It loads, and names only models that there are."""
    parts = [_head(look), _gateway(look), _engines(look), _folders(look), _start(look)]
    return "\n".join("".join(f"{line}\n" for line in part) for part in parts)


def in_words(look: Look) -> list[tuple[str, str]]:
    """What was found, as label and sentence, for people."""
    machine = look.machine
    memory = f"{machine.total_bytes / GIB:.1f} GiB"
    fitting = [each for each in look.models if each.why_not is None]
    return [
        ("Machine", f"{machine.title}, {memory} of memory for engines"),
        ("Docker", docker_in_words(look)),
        ("Gateway", port_in_words(look.port)),
        ("Weights", weights_in_words(look.weights)),
        ("Ollama", _ollama_in_words(look)),
        ("Token", token_in_words(look)),
        ("Models", f"{len(fitting)} of {len(look.models)} fit; here: {_here(look)}"),
    ]


def docker_in_words(look: Look) -> str:
    """Whether containers can run here."""
    docker: Docker = look.docker
    if docker.trouble:
        return _TROUBLES[docker.trouble]
    version = f"Docker {docker.server_version} answers"
    if look.machine.device == "cpu":
        return version
    if look.docker_has_gpu:
        return f"{version}, and can give containers the GPU"
    return f"{version}, but has no NVIDIA runtime: install the NVIDIA Container Toolkit"


def port_in_words(port: Port) -> str:
    """Whether the gateway can listen."""
    if port.problem is None:
        return f"port {port.port} is free"
    name = port.container and f"the container {port.container}"
    process = port.holder and f"{port.holder} (process {port.pid})"
    holder = name or process or "another program"
    return f"port {port.port} is held by {holder}: end that, or choose another port"


def weights_in_words(folder: Folder) -> str:
    """Where weights are downloaded to."""
    if not folder.exists:
        return f"there is no {folder.path}: they go to the user's own cache"
    if not folder.writable:
        return f'{folder.path} is there, read only for this user (`sudo chown "$USER"` opens it)'
    return f"{folder.path} is there, with {_free(folder)}"


def token_in_words(look: Look) -> str:
    """Whether there is a token for gated models; the token itself is nowhere."""
    token = look.token
    if not token.present:
        return "none for the Hugging Face Hub; only gated models need one"
    wrong = f", but {token.problem}" if token.problem else ""
    return f"found in {token.where}{wrong}; it is not copied"


def _ollama_in_words(look: Look) -> str:
    folder = look.ollama_folder
    there = f"{folder.path} is there" if folder.exists else f"there is no {folder.path}"
    runs = f"version {look.ollama} answers on port 11434" if look.ollama else "none runs"
    return f"{runs}; {there}"


def _here(look: Look) -> str:
    return ", ".join(each.model for each in look.models if each.here and not each.demo) or "none"


def _free(folder: Folder) -> str:
    return "unknown space" if folder.free_bytes is None else f"{file_size(folder.free_bytes)} free"


def _head(look: Look) -> Iterator[str]:
    yield from _comment(
        f"sparkwell.yaml for this host, written by `sparkwell init` of Sparkwell "
        f"{sparkwell.__version__}: what it found stands above each setting. What is not here has "
        "its default; `sparkwell config example` shows every setting."
    )
    yield "#"
    for label, said in in_words(look):
        yield from _comment(f"{label}: {said}.", after="  ")


def _gateway(look: Look) -> Iterator[str]:
    yield "gateway:"
    yield from _comment(
        "Only programs on this machine reach it. 0.0.0.0 opens it to the network; make a key "
        "first: sparkwell keys add NAME.",
        indent=2,
    )
    yield "  host: 127.0.0.1"
    yield from _comment(_sentence(port_in_words(look.port)), indent=2)
    yield f"  port: {look.port.port}"


def _engines(look: Look) -> Iterator[str]:
    yield "engines:"
    yield from _comment(
        f"{docker_in_words(look)}. auto takes an engine that `sparkwell engine install` put here, "
        "else a container; process and compose ask for one of the two.",
        indent=2,
    )
    yield "  driver: auto"


def _folders(look: Look) -> Iterator[str]:
    weights = look.weights
    usable = weights.exists and weights.writable
    yield "folders:"
    yield from _comment(f"Weights: {weights_in_words(weights)}.", indent=2)
    yield f"  {'' if usable else '# '}models: {weights.path}"
    yield from _comment(f"Ollama: {_ollama_in_words(look)}.", indent=2)
    yield f"  ollama: {look.ollama_folder.path}"
    if weights.exists and not weights.writable:
        yield ""
        yield from _comment(f"Weights that lie in {weights.path} are used all the same.")
        yield f"model_folders:\n  - {weights.path}"


def _start(look: Look) -> Iterator[str]:
    found = look.recommended
    if found is None:
        yield from _comment("What `sparkwell up --all` starts. No model of the catalog fits here.")
        yield "start: []"
    else:
        yield from _comment(f"What `sparkwell up --all` starts. {_why(found)}")
        yield f"start:\n  - {found.model}"
    yield ""
    yield from _comment(
        "Changes to models: flags, profile, image, driver. These fit, with the profile balanced:"
    )
    for each in look.fitting:
        yield from _comment(f"{each.model}: {_figures(each)}", after="  ", before="  ")
    for each in look.models:
        if each.why_not:
            yield from _comment(f"{each.model} does not: {each.why_not}", after="    ", before="  ")
    yield "models: {}"


def _why(found: Fit) -> str:
    if found.demo:
        return "A demo model: it shows that everything works, and knows next to nothing."
    if found.here:
        return "Of the models that are here this one is the fastest."
    return f"The fastest that fits; `sparkwell pull {found.model}` downloads it first."


def _figures(fit: Fit) -> str:
    speed = f"{fit.tokens_per_s:.1f} tokens/s for one stream" if fit.tokens_per_s else None
    context = f"{fit.context:,} tokens of context" if fit.context else None
    here = "comes with Sparkwell" if fit.demo else ("is here" if fit.here else "to be downloaded")
    return ", ".join(each for each in (speed, context, here) if each)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _comment(text: str, indent: int = 0, before: str = "", after: str = "") -> Iterator[str]:
    """A comment, wrapped; what comes from outside cannot end it."""
    clean = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    start = f"{' ' * indent}# "
    yield from textwrap.wrap(
        clean,
        _WIDTH,
        initial_indent=start + before,
        subsequent_indent=start + before + after,
        break_long_words=False,
        break_on_hyphens=False,
    )

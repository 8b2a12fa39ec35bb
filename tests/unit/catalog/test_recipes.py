"""What the shipped recipes say, against the shape, the guides and the facts."""

from collections.abc import Iterator

import pytest

from sparkwell.catalog import Catalog, Recipe, load_catalog
from sparkwell.catalog.catalog import SHIPPED
from sparkwell.catalog.weights import checkpoint_bytes
from sparkwell.core.units import GB, GIB

CATALOG: Catalog = load_catalog()
# The demo recipes stand for models of this package, not for models of the guides.
RECIPES = [recipe for recipe in CATALOG if not recipe.name.startswith("demo-")]
NGC = "nvcr.io/nvidia/vllm:25.09-py3"

REPOS = {
    "qwen3-32b": "Qwen/Qwen3-32B",
    "qwen3-32b-fp8": "Qwen/Qwen3-32B-FP8",
    "qwen3-32b-awq": "Qwen/Qwen3-32B-AWQ",
    "qwen3-8b-fp8": "Qwen/Qwen3-8B-FP8",
    "qwen3-30b-a3b-fp8": "Qwen/Qwen3-30B-A3B-Instruct-2507-FP8",
    "llama33-70b-fp8": "nvidia/Llama-3.3-70B-Instruct-FP8",
    "llama31-8b-fp8": "nvidia/Llama-3.1-8B-Instruct-FP8",
    "mistral-nemo-12b-fp8": "RedHatAI/Mistral-Nemo-Instruct-2407-FP8",
}

# bytes, and GB and GiB as published tables print them
WEIGHTS = {
    "qwen3-32b": (65_524_246_528, "65.52", "61.02"),
    "qwen3-32b-fp8": (34_322_434_048, "34.32", "31.97"),
    "qwen3-32b-awq": (19_325_298_688, "19.33", "18.00"),
    "qwen3-8b-fp8": (9_436_551_168, "9.44", "8.79"),
    "qwen3-30b-a3b-fp8": (31_170_895_872, "31.17", "29.03"),
    "llama33-70b-fp8": (72_656_376_832, "72.66", "67.67"),
    "llama31-8b-fp8": (9_081_202_688, "9.08", "8.46"),
    "mistral-nemo-12b-fp8": (13_590_376_640, "13.59", "12.66"),
}

# Compose services of the guides: document, profile, length, utilization, batched, sequences
GUIDES = {
    "qwen3-32b": ("qwen3-32b.md", None, 24000, 0.85, 16384, 48),
    "qwen3-32b-fp8": ("qwen3-32b.md", "fp8", 32000, 0.90, 16384, 64),
    "qwen3-8b-fp8": ("qwen3-8b-fp8.md", None, 32768, 0.90, 16384, 64),
    "qwen3-30b-a3b-fp8": ("qwen3-30b-a3b-fp8.md", None, 32768, 0.85, 16384, 64),
    "llama33-70b-fp8": ("llama33-70b-fp8.md", None, 65536, 0.80, 32768, 32),
}

# (max_position_embeddings, native, extended, rope_theta)
CONTEXTS = {
    "qwen3-32b": (40960, 32768, 131072, 1_000_000),
    "qwen3-32b-fp8": (40960, 32768, 131072, 1_000_000),
    "qwen3-32b-awq": (40960, 32768, 131072, 1_000_000),
    "qwen3-8b-fp8": (40960, 32768, 131072, 1_000_000),
    "qwen3-30b-a3b-fp8": (262144, 262144, None, 10_000_000),
    "llama33-70b-fp8": (131072, 131072, None, 500_000),
    "llama31-8b-fp8": (131072, 131072, None, 500_000),
    "mistral-nemo-12b-fp8": (1_024_000, 131072, None, 1_000_000),
}

# Flags that vLLM has under this name from 0.10.1.1 through 0.33.
LASTING_FLAGS = {
    "max_model_len",
    "gpu_memory_utilization",
    "max_num_batched_tokens",
    "max_num_seqs",
    "enable_prefix_caching",
    "kv_cache_dtype",
}

# What vLLM sees of a DGX Spark with an older driver, and its overhead with 8,192 batched tokens.
SPARK_BYTES = 119.67 * GIB
OVERHEAD_BYTES = 6.5 * GIB


def texts(recipe: Recipe) -> Iterator[str]:
    yield from (recipe.title, recipe.summary, *recipe.use_for, *recipe.not_for)
    for source in recipe.sources:
        yield from (source.what, source.where)


def by_name(recipe: Recipe) -> str:
    return recipe.name


every_recipe = pytest.mark.parametrize("recipe", RECIPES, ids=by_name)


def test_every_shipped_file_loads() -> None:
    assert CATALOG.problems == ()
    assert set(CATALOG.names) == {file.stem for file in SHIPPED.glob("*.yaml")}


def test_the_promised_recipes_are_there() -> None:
    assert {recipe.name: recipe.repo for recipe in RECIPES} == REPOS


@pytest.mark.parametrize(("name", "repo"), REPOS.items())
def test_names_and_repositories_resolve_in_any_case(name: str, repo: str) -> None:
    for said in (name, name.upper(), repo, repo.lower(), repo.upper()):
        assert CATALOG.get(said).name == name


@pytest.mark.parametrize("recipe", CATALOG.recipes, ids=by_name)
def test_weights_follow_from_the_shape(recipe: Recipe) -> None:
    assert recipe.weights_bytes == checkpoint_bytes(recipe.architecture, recipe.quantization)


@every_recipe
def test_weights_agree_with_published_sizes(recipe: Recipe) -> None:
    found = recipe.weights_bytes
    assert (found, f"{found / GB:.2f}", f"{found / GIB:.2f}") == WEIGHTS[recipe.name]


@every_recipe
def test_contexts(recipe: Recipe) -> None:
    shape = recipe.architecture
    found = (shape.max_position_embeddings, shape.native_context, shape.extended_context)
    assert (*found, shape.rope_theta) == CONTEXTS[recipe.name]


@every_recipe
def test_guide_is_the_compose_service_value_for_value(recipe: Recipe) -> None:
    if recipe.name not in GUIDES:
        assert recipe.guide is None
        return
    document, profile, length, utilization, batched, sequences = GUIDES[recipe.name]
    assert recipe.guide is not None
    assert recipe.guide.model_dump() == {
        "document": document,
        "service": f"vllm-{recipe.name}",
        "compose_profile": profile,
        "image": NGC,
        "flags": {
            "download_dir": "/root/.cache/huggingface",
            "max_model_len": length,
            "gpu_memory_utilization": utilization,
            "max_num_batched_tokens": batched,
            "max_num_seqs": sequences,
            "enable_prefix_caching": True,
            "trust_remote_code": True,
        },
    }


@every_recipe
def test_serving_starts_from_flags_that_every_version_has(recipe: Recipe) -> None:
    flags = recipe.serve.flags
    assert set(flags) <= LASTING_FLAGS
    assert 0.80 <= float(flags["gpu_memory_utilization"]) <= 0.85
    assert int(flags["max_model_len"]) <= recipe.architecture.native_context
    assert recipe.serve.image


@every_recipe
def test_two_requests_of_full_length_fit_a_dgx_spark(recipe: Recipe) -> None:
    flags, shape = recipe.serve.flags, recipe.architecture
    width = 1 if flags.get("kv_cache_dtype") == "fp8" else 2
    token = 2 * shape.num_hidden_layers * shape.num_key_value_heads * shape.head_dim * width
    budget = SPARK_BYTES * float(flags["gpu_memory_utilization"])
    assert budget - recipe.weights_bytes - OVERHEAD_BYTES >= 2 * int(flags["max_model_len"]) * token


@every_recipe
def test_quantization_names_what_stays_in_16_bits(recipe: Recipe) -> None:
    how = recipe.quantization
    stays = {"embed_tokens", "lm_head", "norms"} | (
        {"mlp.gate"} if recipe.architecture.moe else set()
    )
    assert set(how.unquantized) == (set() if how.method == "none" else stays)
    assert (how.group_size is not None) == (how.method == "awq")


@every_recipe
def test_licence_has_a_name_and_an_address(recipe: Recipe) -> None:
    assert recipe.licence.url
    assert recipe.licence.url.startswith("https://")
    assert ("Llama" in recipe.licence.name) == (recipe.architecture.model_type == "llama")


@every_recipe
def test_says_what_it_is_good_for_and_where_its_figures_come_from(recipe: Recipe) -> None:
    assert recipe.use_for
    assert recipe.not_for
    covered = " ".join(source.what for source in recipe.sources)
    for what in ("architecture", "weights_bytes", "licence", "guide"):
        assert what in covered


@every_recipe
def test_texts_are_single_lines(recipe: Recipe) -> None:
    assert [text for text in texts(recipe) if "\n" in text.strip()] == []

"""A worker's look-up of names says what the daemon's own says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkwell.catalog import load_catalog
from sparkwell.core.errors import NotReadyError, SparkwellError
from sparkwell.gateway.backend import Model
from sparkwell.gateway.naming import others
from sparkwell.gateway.remote.faults import fault_of
from sparkwell.gateway.remote.messages import Models, Place
from sparkwell.gateway.remote.names import Names

CATALOG = load_catalog()
OLLAMA = Model("ollama/qwen3:8b", ("ollama/qwen3:8b",), "ready", 8192, "sparkwell-qwen3:8k")
MODELS = (*(Model(each.name, each.aliases, "stopped", None) for each in CATALOG), OLLAMA)
HERE = (OLLAMA.name, "demo-qwen3")
NAMES = Names(Models(MODELS, (Place(OLLAMA.name, None, 11434),), OLLAMA.name, None, HERE))
KNOWN = [alias for each in CATALOG for alias in each.aliases]


@pytest.mark.parametrize("name", KNOWN)
def test_every_name_of_the_catalog_in_any_case(name: str) -> None:
    assert NAMES.resolve(name.upper()).name == CATALOG.get(name).name


@given(st.one_of(st.text(max_size=100), st.sampled_from(KNOWN).map(lambda name: name[:-2])))
def test_other_names_are_refused_in_the_same_words(name: str) -> None:
    if CATALOG.find(name) or name.lower() == "default" or name.lower().startswith("ollama/"):
        return
    with pytest.raises(SparkwellError) as ours:
        NAMES.resolve(name)
    with pytest.raises(SparkwellError) as theirs:
        CATALOG.get(name)
    assert (type(ours.value), ours.value.message) == (type(theirs.value), theirs.value.message)
    assert ours.value.hint is None  # which there are is said by whose key it is
    assert others(name, MODELS[:-1]) == theirs.value.hint


def test_what_is_listed_is_what_the_daemon_lists() -> None:
    assert [each.name for each in NAMES.listed()] == list(HERE)


@pytest.mark.parametrize("name", ["ollama/qwen3:8b", "Ollama/QWEN3:8b", "ollama/library/qwen3:8b"])
def test_a_model_of_ollamas_that_is_known(name: str) -> None:
    assert NAMES.resolve(name) == OLLAMA


def test_others_of_ollamas_are_not_served() -> None:
    with pytest.raises(SparkwellError, match="There is no model 'ollama/llama3'"):
        NAMES.resolve("ollama/llama3")
    with pytest.raises(SparkwellError, match="no name of a model in Ollama"):
        NAMES.resolve("ollama/..")


def test_default_is_what_the_daemon_says() -> None:
    assert NAMES.resolve("Default") == OLLAMA
    fault = fault_of(NotReadyError("None.", hint="Name one."))
    none = Names(Models(MODELS, (), None, fault, ()))
    with pytest.raises(SparkwellError, match=r"None\. Name one\."):
        none.resolve("default")

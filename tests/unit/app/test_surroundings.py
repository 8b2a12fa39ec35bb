"""Comparing what a daemon was started with, without telling it."""

import json

from sparkwell.app.surroundings import differing, seal

TOKEN = "hf_" + "a" * 30


def test_what_is_the_same_does_not_differ() -> None:
    environ = {"HF_TOKEN": TOKEN, "DOCKER_HOST": "unix:///x", "PATH": "/bin"}
    assert differing(environ | {"PATH": "/usr/bin"}, seal(environ)) == []


def test_changed_new_and_missing_variables_are_named() -> None:
    sealed = seal({"HF_TOKEN": TOKEN, "DOCKER_HOST": "unix:///x"})
    assert differing({"HF_TOKEN": "hf_b", "HF_ENDPOINT": "http://h"}, sealed) == [
        "HF_TOKEN",
        "HF_ENDPOINT",
        "DOCKER_HOST",
    ]


def test_an_empty_variable_is_none() -> None:
    assert differing({"HF_TOKEN": ""}, seal({})) == []


def test_the_seal_tells_nothing_and_is_never_twice_the_same() -> None:
    one, two = seal({"HF_TOKEN": TOKEN}), seal({"HF_TOKEN": TOKEN})
    assert TOKEN not in json.dumps(one)
    assert one["digests"] != two["digests"]

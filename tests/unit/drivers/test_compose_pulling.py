"""How far a pull is, from messages as dockerd sends them."""

from typing import Any

import pytest

from sparkwell.core.errors import EnvironmentFault
from sparkwell.drivers.compose.images import _failed
from sparkwell.drivers.compose.pulling import Layers, PullProgress


def event(layer: str, status: str, current: int | None = None, total: int = 0) -> dict[str, Any]:
    detail = {} if current is None else {"current": current, "total": total}
    return {"id": layer, "status": status, "progressDetail": detail}


def after(*events: dict[str, Any], total_bytes: int | None = None) -> PullProgress:
    layers = Layers(total_bytes)
    for one in events:
        layers.take(one)
    return layers.progress(10.0)


def test_bytes_are_summed_over_layers() -> None:
    found = after(
        event("a", "Pulling fs layer"),
        event("b", "Already exists"),
        event("c", "Downloading", 30, 100),
        event("a", "Downloading", 50, 100),
        event("c", "Download complete"),
    )
    assert (found.layers, found.layers_done) == (3, 1)
    assert (found.downloaded_bytes, found.total_bytes) == (150, 200)
    assert found.fraction == pytest.approx(150 / 400)
    assert found.bytes_per_s == 15
    assert found.left_s == pytest.approx(10 * 250 / 150)


def test_the_total_is_unknown_until_every_layer_has_said_its_size() -> None:
    found = after(event("a", "Downloading", 50, 100), event("b", "Waiting"))
    assert (found.total_bytes, found.fraction, found.left_s) == (None, None, None)


def test_a_total_known_beforehand_counts() -> None:
    events = event("a", "Downloading", 50, 100), event("b", "Waiting")
    assert after(*events, total_bytes=1000).fraction == pytest.approx(50 / 2000)


def test_unpacking_is_the_other_half() -> None:
    half = after(event("a", "Downloading", 100, 100), event("a", "Extracting", 40, 100))
    assert half.fraction == pytest.approx(0.7)
    assert after(event("a", "Downloading", 1, 9), event("a", "Pull complete")).fraction == 1.0


def test_seconds_of_unpacking_are_no_bytes() -> None:
    odd = {"id": "a", "status": "Extracting", "progressDetail": {"current": 3, "units": "s"}}
    assert after(event("a", "Downloading", 100, 100), odd).unpacked_bytes == 0


def test_nothing_to_fetch_is_done() -> None:
    assert after(event("a", "Already exists")).fraction == 1.0
    assert (
        after({"status": "Digest: sha256:ab"}, {"status": "Pulling from x", "id": "1"}) == after()
    )
    assert after().fraction is None


WHY = [
    ("manifest for 127.0.0.1:5/x:1 not found: manifest unknown: manifest unknown", "no image"),
    ("pull access denied for x, repository does not exist or may require 'docker login'", "no im"),
    ("unauthorized: authentication required", "refuses"),
    ("dial tcp: lookup registry.example on 10.0.0.1:53: no such host", "cannot be reached"),
    ("dial tcp 127.0.0.1:1: connect: connection refused", "cannot be reached"),
    ("failed to register layer: write /x: no space left on device", "full"),
    ("no matching manifest for linux/arm64/v8 in the manifest list entries", "architecture"),
    ("something odd", "something odd"),
]


@pytest.mark.parametrize(("said", "expected"), WHY)
def test_why_a_pull_failed(said: str, expected: str) -> None:
    error = _failed("registry.example/x:1", said)
    assert isinstance(error, EnvironmentFault)
    assert expected in error.message


def test_who_is_refused_is_told_where_to_log_in() -> None:
    assert "`docker login registry.example`" in str(_failed("registry.example/x:1", "denied"))
    assert "`docker login`" in str(_failed("x/y:1", "denied"))

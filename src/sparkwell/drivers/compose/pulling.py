"""How far the pull of an image is, from what dockerd says of its layers. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_HERE = "Already exists"
_BEGUN = ("Pulling fs layer", "Waiting")
_LOADED = ("Verifying Checksum", "Download complete")
_WHOLE = ("Pull complete", _HERE)


@dataclass(frozen=True, slots=True)
class PullProgress:
    """A pull under way. Sizes are of the compressed layers.

    ``total_bytes`` is None until dockerd has said the size of every layer: it does when a layer's
    turn comes, three at a time. ``unpacked_bytes`` is how much of it lies unpacked. ``elapsed_s``
    is since the pull began.
    """

    layers: int
    layers_done: int
    downloaded_bytes: int
    unpacked_bytes: int
    total_bytes: int | None
    elapsed_s: float

    @property
    def fraction(self) -> float | None:
        """Which share is done, 0 to 1: downloading and unpacking count one half each."""
        if self.layers and self.layers_done == self.layers:
            return 1.0
        if not self.total_bytes:
            return None
        return (self.downloaded_bytes + self.unpacked_bytes) / (2 * self.total_bytes)

    @property
    def bytes_per_s(self) -> float | None:
        """The download's rate since the beginning; None before anything came."""
        if self.elapsed_s <= 0 or not self.downloaded_bytes:
            return None
        return self.downloaded_bytes / self.elapsed_s

    @property
    def left_s(self) -> float | None:
        """Seconds left if it goes on at the rate so far; None as long as nobody can tell."""
        share = self.fraction
        return self.elapsed_s * (1 - share) / share if share else None


@dataclass(slots=True)
class _Layer:
    total: int | None = None
    downloaded: int = 0
    unpacked: int = 0
    is_here: bool = False

    def finish_download(self) -> None:
        self.downloaded = self.total or self.downloaded

    def finish(self) -> None:
        """An empty layer may be done before anybody said that it has no bytes."""
        self.finish_download()
        self.total = self.downloaded
        self.unpacked = self.downloaded
        self.is_here = True


class Layers:
    """The layers of one image, kept up with dockerd's messages.

    ``total_bytes`` is what the whole image weighs, where somebody knows it beforehand.
    """

    def __init__(self, total_bytes: int | None = None) -> None:
        self._layers: dict[str, _Layer] = {}
        self._total_bytes = total_bytes

    def take(self, event: Mapping[str, Any]) -> bool:
        """Take one message; tells whether it was about a layer."""
        status, name = str(event.get("status", "")), event.get("id")
        known = status in (*_BEGUN, *_LOADED, *_WHOLE, "Downloading", "Extracting")
        if not (name and known):
            return False
        layer = self._layers.setdefault(str(name), _Layer())
        if status in _LOADED:
            layer.finish_download()
        elif status in _WHOLE:
            layer.finish()
        else:
            _count(layer, status, event.get("progressDetail") or {})
        return True

    def progress(self, elapsed_s: float) -> PullProgress:
        """How far it is by now."""
        layers = self._layers.values()
        totals = [layer.total for layer in layers]
        known = sum(total for total in totals if total is not None)
        complete = known if totals and None not in totals else None
        return PullProgress(
            layers=len(totals),
            layers_done=sum(layer.is_here for layer in layers),
            downloaded_bytes=sum(layer.downloaded for layer in layers),
            unpacked_bytes=sum(layer.unpacked for layer in layers),
            total_bytes=complete if self._total_bytes is None else max(self._total_bytes, known),
            elapsed_s=elapsed_s,
        )


def _count(layer: _Layer, status: str, detail: Mapping[str, Any]) -> None:
    """Note bytes. With containerd's store, dockerd counts seconds while it unpacks ("units")."""
    if "units" in detail or "current" not in detail:
        return
    current = int(detail["current"])
    if status == "Downloading":
        layer.total = int(detail["total"]) if detail.get("total", 0) > 0 else layer.total
        layer.downloaded = max(layer.downloaded, current)
    elif status == "Extracting":
        layer.finish_download()
        layer.unpacked = min(current, layer.downloaded)

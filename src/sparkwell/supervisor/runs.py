"""What is known of each instance beside its state: its spec, its timeline, how it is provided."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from sparkwell.core.launch import LaunchSpec, Running
from sparkwell.supervisor.aides import Provide
from sparkwell.supervisor.start import Timeline


@dataclass(slots=True)
class Runs:
    """By instance id. ``began`` is when its start, or its waking, began: monotonic seconds.

    ``processes`` is what a driver said of those that run. ``last`` has by model the labels of
    what a person had it start with, until a person stops it. ``said`` is the watch's: the last line
    of each start that it follows.
    """

    specs: dict[str, LaunchSpec] = field(default_factory=dict)
    timelines: dict[str, Timeline] = field(default_factory=dict)
    provide: dict[str, Provide] = field(default_factory=dict)
    began: dict[str, float] = field(default_factory=dict)
    processes: dict[str, Running] = field(default_factory=dict)
    last: dict[str, Mapping[str, str]] = field(default_factory=dict)
    said: Mapping[str, str] = field(default_factory=dict)

    def begin(self, instance: str, now: float) -> None:
        """A start, or a waking, begins: its timeline too."""
        self.timelines[instance] = Timeline()
        self.began[instance] = now

    def forget_all_but(self, known: Collection[str]) -> None:
        """Forget instances that nobody asks for any more."""
        for kept in (self.specs, self.timelines, self.provide, self.began, self.processes):
            for instance in [each for each in kept if each not in known]:
                del kept[instance]

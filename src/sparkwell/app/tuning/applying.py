"""What a tuning found becomes a profile: its overlay is written."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sparkwell.app.tuning.document import Tuning
from sparkwell.app.tuning.overlay import overlay
from sparkwell.catalog.recipe import FlagValue
from sparkwell.catalog.tuned_files import write_tuned


@dataclass(frozen=True, slots=True)
class Applied:
    """The overlay's file; ``outweighed`` are this host's flags that win over the profile."""

    file: Path
    outweighed: Mapping[str, FlagValue]


def apply(tuning: Tuning, folder: Path, own_flags: Mapping[str, FlagValue]) -> Applied:
    """Write the overlay into ``folder``; its ledger has to be told. ``own_flags`` are the host's.

    Raises UsageError where nothing was checked, EnvironmentFault as where a disk is full.
    """
    tuned = overlay(tuning)
    others = {name: each for name, each in own_flags.items() if tuned.flags.get(name) != each}
    return Applied(write_tuned(folder, tuned), others)

"""What engines may hold together on this machine, and what the settings keep from all of them."""

from sparkwell.app.settings.config import Settings
from sparkwell.core.units import GIB
from sparkwell.hardware.machine import Machine
from sparkwell.planner.shares import free_bytes

BUDGET = "switching.budget_gib"
"""The setting's name, in messages and beside names of models."""


def budget_bytes(settings: Settings, machine: Machine) -> int:
    """What all engines together may hold: what the system leaves, or less if the settings say."""
    free, wanted = free_bytes((), machine), settings.switching.budget_gib
    return free if wanted is None else min(free, int(wanted * GIB))


def reserved_bytes(settings: Settings, machine: Machine) -> int:
    """What switching.budget_gib keeps from all engines together; 0 where it sets no limit."""
    return free_bytes((), machine) - budget_bytes(settings, machine)

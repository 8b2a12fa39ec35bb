"""What is this machine? Facts (frozen values), read from texts, found through a seam.

May import core. ``parse`` turns text into facts, ``recognise`` facts into a ``Machine``; both are
pure. Only ``detect`` and ``nvml`` look at the machine, and ``description`` reads YAML files.
Unknown is None: the GB10's NVML answers "not supported" for memory, and so does this room.
"""

from sparkwell.hardware.machine import Machine, SeenTotal, Source

__all__ = ["Machine", "SeenTotal", "Source"]

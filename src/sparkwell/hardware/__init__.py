"""What is this machine? Facts (frozen values), read from texts, found through a seam.

May import core. ``parse`` turns text into facts and is pure; only ``detect`` looks at the machine.
Unknown is None: the GB10's NVML answers "not supported" for memory, and so does this room.
"""

"""How is it done? Drivers start, stop, watch and adopt engines: as processes, in containers.

May import core only (and engines' values); knows nothing of who decides. What runs is what the
operating system says: a driver keeps no state that a fresh one could not find again.

Invariants: an instance id names one run, for ever; "stopped" means that no process of the
instance is left, not that a signal was sent; an engine outlives the daemon, never its shim.
"""

"""Will it fit, and how fast? Memory, bandwidth, placement and profiles as pure functions.

May import catalog, hardware and core. A plan is a breakdown, not a verdict, and every correction
of what a user set is in it.
"""

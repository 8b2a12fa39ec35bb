"""Is it well, and if not, why? Functions from a snapshot to findings.

May import engines, planner, catalog, hardware and core. Nothing here looks anything up: a
snapshot can be saved, sent and judged again.
"""

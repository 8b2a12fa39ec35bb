"""Why is it not well? Collects, saves and replays snapshots; runs checks; applies safe remedies.

May import drivers, store, checks, engines, planner, catalog, hardware and core.
"""

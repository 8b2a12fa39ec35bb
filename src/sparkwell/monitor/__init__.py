"""How is it going? Samples of what runs, and what they mean.

May import drivers, store, engines, planner, catalog, hardware and core.
"""

"""How fast is it really? Load, statistics, comparison with the plan, plots.

May import drivers, store, engines, planner, catalog, hardware and core.
"""

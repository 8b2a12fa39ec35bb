"""How fast is it really? Load, statistics, comparison with the plan, plots.

May import drivers, store, engines, planner, catalog, hardware and core. docs/bench.md says what is
measured, docs/decisions/0027-load.md why the load is our own.
"""

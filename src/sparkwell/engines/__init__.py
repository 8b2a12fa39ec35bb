"""How is it said? What an engine's command line, log and environment look like, by version.

May import planner, catalog and core. Everything here is a function from values to values:
nothing is started, read or fetched. The rooms that act (drivers, supervisor) ask here what to
do and what an answer means.
"""

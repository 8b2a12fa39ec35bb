"""One suite a seam, run against every implementation of it.

A package, so that the suites can share conftest.py by a relative import.
"""

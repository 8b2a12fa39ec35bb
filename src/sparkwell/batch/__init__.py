"""Many requests out of a file: which are there, how many at once, what came of each.

May import core alone: it is a client of the gateway, as any other.
"""

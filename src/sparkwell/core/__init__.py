"""The nouns that every room shares: units, errors, phases, launch specs, events, the seams.

May import nothing of Sparkwell. Holds values only: no clock, no log, no socket.
"""

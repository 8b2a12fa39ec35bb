"""Which flags are faster? What is tried next, what a trial is worth, and whether a gain holds.

Deciding only: app/tuning starts engines and measures them.
"""

"""The dashboard: shows what the services say, computes nothing.

May import doctor, bench, monitor, supervisor and everything below them.
"""

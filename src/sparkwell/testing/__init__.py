"""Doubles for tests, ours and our users': a fake engine, a clock.

What stands in for a costly thing in the many quick tests lives here and ships with the package.
No room but the tests imports it. ``fake_engine`` is a program: an OpenAI server that starts,
logs, answers, fails and dies as vLLM does, in milliseconds and on demand.
"""

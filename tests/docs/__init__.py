"""The documents are true to the code: commands, settings, recipes, links, examples.

A package, so that acceptance tests can import ``tests.docs.examples``.
"""

"""Sparkwell serves large language models well on one box."""

__version__ = "0.1.0.dev0"

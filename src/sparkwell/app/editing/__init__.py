"""Editing what of a model may be edited from the dashboard: flags, profile and limits."""

"""Real client packages against a real daemon."""

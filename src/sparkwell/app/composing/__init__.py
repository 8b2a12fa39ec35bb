"""A Compose file from a plan: choices, services, text."""

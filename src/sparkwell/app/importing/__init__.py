"""A Compose file that somebody has, read: what of it Sparkwell does, and how."""

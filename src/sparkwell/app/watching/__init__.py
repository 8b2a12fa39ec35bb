"""What a daemon watches while it serves: the monitor put together, what its figures mean."""

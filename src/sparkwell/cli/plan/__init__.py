"""`sparkwell plan`: what fits, how fast, and why."""

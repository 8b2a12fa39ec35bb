"""The daemon's side of the memory guard, and how memory is looked at."""

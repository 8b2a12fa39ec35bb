"""The daemon: put together, what it is asked, and what it remembers from one run to the next."""

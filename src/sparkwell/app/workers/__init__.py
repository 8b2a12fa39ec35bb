"""Several processes that relay requests: started, kept alive, and ended by the daemon."""

"""What status says: the daemon, the box, each instance, figures."""

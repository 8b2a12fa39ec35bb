"""Keys of clients: added, revoked, written down, and told to the gateway, and counted."""

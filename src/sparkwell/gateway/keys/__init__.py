"""Keys of clients: made, found by their secret, limited, counted. No I/O: app/keys does it."""

"""The gateway's port: who reaches it, by which addresses, and with which certificate."""

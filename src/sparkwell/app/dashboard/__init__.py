"""The dashboard's services: what the daemon's parts know, as the pages ask for it."""

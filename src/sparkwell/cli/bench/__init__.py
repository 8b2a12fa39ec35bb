"""`sparkwell bench`: how fast a running model really is."""

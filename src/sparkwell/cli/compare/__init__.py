"""`sparkwell compare`: models side by side."""

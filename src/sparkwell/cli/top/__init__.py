"""`sparkwell top`: what runs, live, in a terminal."""

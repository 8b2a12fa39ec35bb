"""`sparkwell keys`: the keys of clients, and what they used."""

"""`sparkwell tune`: flags that are faster here, found by measuring."""

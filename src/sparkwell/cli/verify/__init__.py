"""`sparkwell verify`: plan and guides checked by measuring, in one report."""

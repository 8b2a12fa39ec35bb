"""`sparkwell recommend`: which model suits a need."""

"""Tuning: engines started with other flags one after the other, each measured, the best checked."""

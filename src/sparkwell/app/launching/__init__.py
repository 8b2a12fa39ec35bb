"""A start on this machine: what is looked at, fetched and chosen before an engine is launched."""

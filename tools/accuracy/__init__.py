"""The parts of docs/accuracy.md; tools/accuracy_docs.py puts them together."""

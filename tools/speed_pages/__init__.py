"""The pages on measured speed: docs/benchmarks.md and docs/benchmarks/models.md."""

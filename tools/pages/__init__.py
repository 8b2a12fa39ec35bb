"""The pages docs/models/*.md and docs/nvidia-spark.md, made from the catalog and the planner."""

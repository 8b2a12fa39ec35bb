"""`sparkwell events`: what happened, and why."""

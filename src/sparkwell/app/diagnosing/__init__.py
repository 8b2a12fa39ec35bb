"""Why something does not go well: a run that failed, and the whole host as the doctor sees it."""

"""Why is it not well? One check a file, found in logs, in the runs of models, on the host."""

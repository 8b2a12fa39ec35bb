"""sparkwell.yaml: its form, where it lies, how parts are merged, read and written."""

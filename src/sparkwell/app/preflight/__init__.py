"""Pre-flight: what would make a start fail, found before minutes are lost."""

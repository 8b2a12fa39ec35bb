"""Plans for this host: what is asked, what was seen here before, which flags were tuned here."""

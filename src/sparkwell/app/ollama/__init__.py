"""Models of Ollama: its server, its flags, its starts."""

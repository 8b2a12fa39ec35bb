"""The guides' claims beside Sparkwell's own figures."""

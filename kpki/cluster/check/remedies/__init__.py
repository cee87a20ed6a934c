"""A finding becomes shell commands, with the host's own names and paths."""

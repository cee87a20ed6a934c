"""What to do about findings: the shell commands that mend them here, with their own names and paths."""

"""The remedies: shell commands that repair a finding, with the host's own names and paths."""

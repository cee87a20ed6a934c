"""Your cluster: what it should be, what is there, what to do."""

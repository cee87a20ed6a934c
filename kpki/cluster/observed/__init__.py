"""What a host holds: its files, and what a file says."""

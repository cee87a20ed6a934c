"""What a cluster should hold: its description, and the rows that follow for each host."""

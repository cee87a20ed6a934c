"""Who signs whom, who holds what, who calls whom: the graph as a value, and its pictures."""

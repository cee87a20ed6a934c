"""Many hosts on all processors, and what no two of them may share."""

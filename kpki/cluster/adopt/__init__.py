"""Files that are there become a description."""

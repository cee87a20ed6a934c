"""What is wrong with one row: what is found of it held against what is wanted of it."""

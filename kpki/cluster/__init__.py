"""A cluster: what the description asks for, what is on disk, and the steps between the two."""

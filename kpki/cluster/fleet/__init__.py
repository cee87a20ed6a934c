"""Many hosts at once: in batches, on all processors."""

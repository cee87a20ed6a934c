"""One node's files: issued, requested, signed, installed."""

"""From symptoms back to causes: what a log says, what a server presents, what a host does."""

"""Requests for a CA that is elsewhere, and the CA's answers."""

"""Certificates in time: when they end, and how they are renewed."""

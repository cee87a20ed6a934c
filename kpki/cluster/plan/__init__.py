"""Findings become ordered steps, and the steps become files."""

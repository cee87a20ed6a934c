"""Existing files become a description."""

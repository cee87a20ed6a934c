"""The observed state of a host: its files and their contents, its components and their settings."""

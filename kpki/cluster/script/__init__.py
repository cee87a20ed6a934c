"""A plan as plain openssl commands."""

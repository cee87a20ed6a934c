"""X.509 v3 extensions as in x509v3_config(5): a table of kinds, and the languages of values."""

"""X.509 v3 extensions by openssl's x509v3_config(5): the table of kinds, and the languages of their values."""

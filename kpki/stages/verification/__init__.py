"""Whether a certificate is valid, as `openssl verify` answers: path, checks, words."""

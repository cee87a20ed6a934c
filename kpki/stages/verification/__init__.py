"""Whether a certificate holds, as `openssl verify` says it: the path, the checks in OpenSSL's order, the words."""

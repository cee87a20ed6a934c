"""Certificates, requests, keys and names as text, as openssl's -text and -subject print them."""

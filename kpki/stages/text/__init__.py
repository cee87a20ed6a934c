"""Certificates, requests, keys and names as text: what openssl's -text, -subject and their kin print."""

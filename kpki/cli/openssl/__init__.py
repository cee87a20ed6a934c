"""openssl's verbs with openssl's options: each verb has a table of its options."""

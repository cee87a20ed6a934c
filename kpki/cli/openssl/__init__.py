"""openssl's own verbs, with openssl's own options: a table per verb says what each option takes and
means.
"""

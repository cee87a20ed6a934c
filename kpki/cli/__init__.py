"""The command: parse, one call, print.

Nothing imports it.

stdout carries data, stderr carries words: `kpki: ` before a message, `kpki: hint: ` before what to
do next, `kpki: warning: ` before what is done all the same. No traceback reaches a user.
"""

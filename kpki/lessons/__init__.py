"""The lessons of `kpki learn` and the glossary of `kpki explain`: their texts and their runner.

Only this room starts other programs: the commands of a lesson, and those that a learner types.
"""

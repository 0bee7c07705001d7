"""Doctor in worlds that are broken: each is told by its own problem with a fix, and by no other.

Worlds are made in the sandbox through AWS's APIs. What it cannot be made to answer (a clock that AWS refuses, a
region with two zones, a quota that is nearly met) is either answered by a server of the test's own, in AWS's words,
or is left to tests/doctor, where the facts are as AWS documents them.
"""

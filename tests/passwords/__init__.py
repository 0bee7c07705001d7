"""No password of a test run is seen anywhere: each that was in use is looked for, at the end, in all that the run said.

inside/sitecustomize.py   in every Python process of the run: notes passwords, and what sandboxes say before they end
plugin.py                 in pytest's own: notes what tests print and which directories they have; searches at the end
search.py                 where a password stands, in whichever form. Pure
"""

"""What the courses say, tried: `python -m etude.bench claims`.

A claim is a function that makes a small experiment, and a criterion that was written down before
the experiment was run. `claim.py` says what a claim is; each other file holds those of one subject.
"""

"""Others that run the same turn, each written the way its own documentation recommends: `compare` runs them.

The turn: the model asks for one tool, the tool runs, the model answers in words, the answer is sent. Each of these four
steps is on record in PostgreSQL before the next begins. `python -m bench.rivals NAME` is the program of each.
"""

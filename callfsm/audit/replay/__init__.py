"""`callfsm replay`: the log of a journal's call, what other numbers would change in it, and a test of it."""

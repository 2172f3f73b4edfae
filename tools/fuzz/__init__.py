"""Coverage-guided fuzzing of what reads bytes of others, and of the machine behind it: `python -m tools.fuzz`."""

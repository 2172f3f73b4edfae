"""The soak: hostile and healthy calls on the real server for minutes, judged from outside. `python -m bench.soak`."""

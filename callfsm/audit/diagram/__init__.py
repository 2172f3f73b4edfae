"""`callfsm diagram`: the machine that runs as charts and tables, calls on its chart, and what changed in it."""

"""The shell: sockets, timers, files. It decides nothing about a call; it feeds events and performs effects."""

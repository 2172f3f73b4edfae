"""`callfsm hear`: recordings through the very machine that hears a call, frame by frame."""

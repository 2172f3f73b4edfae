"""What the caller's line carries: loudness, the gate, the caller's turn, and the rules for its transcript.

Pure: no socket, no clock, no other part of the package but the configuration.
"""

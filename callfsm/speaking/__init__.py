"""What the assistant says: the response in flight, what of it the caller has heard, and in which language.

Pure: no socket, no clock.
"""

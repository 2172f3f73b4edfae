"""Simulated peers: a Twilio caller and a Realtime server, real aiohttp programs on loopback.

They speak the wire as the vendors document it and share no code with the codecs that they test.
"""

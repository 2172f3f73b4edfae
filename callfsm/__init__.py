"""callfsm: one explicit state machine per phone call, between Twilio Media Streams and OpenAI Realtime."""

__version__ = "0.1.0"

"""Wire JSON to events, effects to wire JSON. Pure: no socket, no clock."""

"""What can be seen of the machine and of a call. Each command has a room of its own; what several share lies here."""

"""What can be seen of the machine and of a call: the diagram and the journal."""

"""What one call amounts to: its journal run again, and told as values that a page or a table can be made of."""

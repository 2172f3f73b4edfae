"""What the project is made with, and what is not part of it."""

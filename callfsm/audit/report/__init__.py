"""`callfsm report`: one call as a page that a person can read, as its drawing alone, or as JSON."""

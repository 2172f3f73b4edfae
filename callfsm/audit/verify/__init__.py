"""`callfsm verify`: every order of events, on the machine that runs, with the laws checked at every step."""

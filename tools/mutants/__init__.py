"""`make mutants`: the machine is broken on purpose, one small thing at a time, to see who notices."""

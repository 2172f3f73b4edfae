"""A labelled set of calls to measure hearing in noise and echo with, and the measure.

    python -m bench.hearing              build the set where it is missing, run the gate over it, print the tables
    python -m bench.hearing --build      build it anew and print what it holds
    python -m bench.hearing --check      the package's own tests

A case is two wav files of one length, 8000 Hz, 16 bit: `ID.near.wav` is what the caller's line carries, `ID.far.wav`
what the caller is being played. A third, `ID.line.wav`, is the near end without the echo, for cases that have one.
`ID.json` says what is in them. Nothing is downloaded and nothing is committed: the recordings are Debian's, the
rest is computed, and one seed gives one set.
"""

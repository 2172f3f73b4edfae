"""The optional second stage: a model of speech, slower than the gate and surer."""

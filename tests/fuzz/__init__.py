"""Fuzzing of every parser that the network reaches: `python -m tests.fuzz --seconds 60 [target ...] [--seed
N]`.

A target is a module under `targets/`; see `tests.fuzz.harness.Target` for what it exposes.
"""

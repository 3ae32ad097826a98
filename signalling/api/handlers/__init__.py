"""Handlers: parse, call the desk, map the answer. One module per subject."""

"""The shell around the pure desk: loads, decides, stores, and lets rooms follow what was decided."""

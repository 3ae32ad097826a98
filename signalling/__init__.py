"""Everything a client or another system talks to: signalling, administration, the page."""

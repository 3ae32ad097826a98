"""Clients that try the server out over the wire: bots, a demonstration, load."""

"""What the routes answer with, and how the desk's values become that."""

"""The store: calls, tickets and events in SQLite or PostgreSQL. The database is the truth (DESIGN.md, 7)."""

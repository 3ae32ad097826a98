"""Rooms, participants, tracks, subscriptions and who may see and hear whom."""

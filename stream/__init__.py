"""Frames in, events out."""

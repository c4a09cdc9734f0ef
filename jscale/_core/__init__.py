"""Numerics that know nothing of scaling laws."""

"""Numerics, messages and files that do not depend on scaling laws."""

"""Compiled programs with a bound on how many are kept."""

from jscale._core.programs._bounded import MAX_PROGRAMS, clear_programs, count, kept, program

__all__ = ["MAX_PROGRAMS", "clear_programs", "count", "kept", "program"]

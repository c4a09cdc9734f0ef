"""Tables that fit the width of the screen: without broken words and numbers, stacked if needed."""

from jscale.cli.screen._grid import Grid
from jscale.cli.screen._prose import Prose
from jscale.cli.screen._width import PIPE_WIDTH, pipe_width

__all__ = ["PIPE_WIDTH", "Grid", "Prose", "pipe_width"]

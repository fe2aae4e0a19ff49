"""`etude.compile`: record a function once, make the program fast, replay it as one call."""

from .archive import load_program
from .compiled import CacheInfo, Compiled, compile
from .passes import EXACT

__all__ = ["EXACT", "CacheInfo", "Compiled", "compile", "load_program"]

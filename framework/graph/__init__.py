"""The recorder: a backend over symbolic values, and the Program that running code on it writes."""

from etude.backends.base import Instruction, Value

from .draw import to_dot, to_png
from .program import Program
from .recorder import Recorder, record

__all__ = ["Instruction", "Program", "Recorder", "Value", "record", "to_dot", "to_png"]

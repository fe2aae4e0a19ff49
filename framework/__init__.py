"""The core: tensors, the graph, modules and training, which know no array library."""

from . import tensor as tensor  # first, because the parts of the core import each other through it

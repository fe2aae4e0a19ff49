"""Looking inside: pictures of training, weights, what units see, and what fools a network.

A function `plot_...` takes a model, a history, tensors or a function and returns a matplotlib
Figure; matplotlib is imported when one is called. What a figure shows is worked out by a function
of its own, which returns tensors and needs no matplotlib.
"""

from ..guard import guard_functions
from .canvas import COLOURS
from .comparing import comparison
from .curves import (
    activation_values,
    learning_curves,
    loss_curves,
    plot_activations,
    plot_history,
)
from .filters import filter_grid, first_filters, plot_filters
from .inputs import layer_outputs

__all__ = [
    "COLOURS",
    "activation_values",
    "comparison",
    "filter_grid",
    "first_filters",
    "layer_outputs",
    "learning_curves",
    "loss_curves",
    "plot_activations",
    "plot_filters",
    "plot_history",
]

guard_functions(globals(), __name__)

"""Looking inside: pictures of training, weights, what units see, and what fools a network.

A function `plot_...` takes a model, a history, tensors or a function and returns a matplotlib
Figure; matplotlib is imported when one is called. What a figure shows is worked out by a function
of its own, which returns tensors and needs no matplotlib.
"""

from ..guard import guard_functions
from .ablation import dropout_ablation, layer_ablation, plot_ablation, plot_dropout_ablation
from .adversarial import deepfool, fgsm, iterated_fgsm, plot_adversarial, smallest_perturbation
from .ascent import blurred, fooling_image, maximise, plot_fooling, plot_maximised
from .canvas import COLOURS
from .comparing import comparison
from .confusion import (
    ClassScores,
    Mistakes,
    class_scores,
    confusion_matrix,
    most_confused,
    plot_confusion,
    plot_mistakes,
)
from .curves import (
    activation_values,
    learning_curves,
    loss_curves,
    plot_activations,
    plot_history,
)
from .deconvnet import deconvolution, plot_deconvolution, strongest_images
from .features import feature_maps, histogram, plot_feature_maps, plot_histograms
from .filters import filter_grid, first_filters, plot_filters
from .gan_steps import (
    GanSnapshot,
    density,
    gan_snapshot,
    optimal_discriminator,
    plot_gan_steps,
)
from .gradients import gradient_norms, plot_gradient_norms
from .graph_layout import graph_layout, plot_graph
from .inputs import layer_outputs
from .invariances import Invariance, invariance, plot_invariance, transformed
from .landscape import (
    direction_to,
    loss_line,
    loss_surface,
    plot_loss_line,
    plot_loss_surface,
    random_direction,
)
from .latent import (
    decoded,
    interpolation,
    latent_arithmetic,
    manifold,
    plot_arithmetic,
    plot_interpolation,
    plot_manifold,
    plot_traversals,
    traversal,
)
from .pixels import input_gradient, occlusion_map, plot_occlusion, plot_saliency, saliency
from .racing import RACERS, SURFACES, Surface, plot_race, race
from .sequences import (
    attention_maps,
    lstm_gates,
    plot_attention,
    plot_gates,
    plot_text_activations,
)
from .universal import (
    fooling_rate,
    plot_universal,
    projected,
    universal_perturbation,
)

__all__ = [
    "activation_values",
    "attention_maps",
    "blurred",
    "class_scores",
    "ClassScores",
    "COLOURS",
    "comparison",
    "confusion_matrix",
    "decoded",
    "deconvolution",
    "deepfool",
    "density",
    "direction_to",
    "dropout_ablation",
    "feature_maps",
    "fgsm",
    "filter_grid",
    "first_filters",
    "fooling_image",
    "fooling_rate",
    "gan_snapshot",
    "GanSnapshot",
    "gradient_norms",
    "graph_layout",
    "histogram",
    "input_gradient",
    "interpolation",
    "Invariance",
    "invariance",
    "iterated_fgsm",
    "latent_arithmetic",
    "layer_ablation",
    "layer_outputs",
    "learning_curves",
    "loss_curves",
    "loss_line",
    "loss_surface",
    "lstm_gates",
    "manifold",
    "maximise",
    "Mistakes",
    "most_confused",
    "occlusion_map",
    "optimal_discriminator",
    "plot_ablation",
    "plot_activations",
    "plot_adversarial",
    "plot_arithmetic",
    "plot_attention",
    "plot_confusion",
    "plot_deconvolution",
    "plot_dropout_ablation",
    "plot_feature_maps",
    "plot_filters",
    "plot_fooling",
    "plot_gan_steps",
    "plot_gates",
    "plot_gradient_norms",
    "plot_graph",
    "plot_histograms",
    "plot_history",
    "plot_interpolation",
    "plot_invariance",
    "plot_loss_line",
    "plot_loss_surface",
    "plot_manifold",
    "plot_maximised",
    "plot_mistakes",
    "plot_occlusion",
    "plot_race",
    "plot_saliency",
    "plot_text_activations",
    "plot_traversals",
    "plot_universal",
    "projected",
    "race",
    "RACERS",
    "random_direction",
    "saliency",
    "smallest_perturbation",
    "strongest_images",
    "Surface",
    "SURFACES",
    "transformed",
    "traversal",
    "universal_perturbation",
]

guard_functions(globals(), __name__)

"""What recurrent networks and attention do along a sequence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from .. import functional as F
from .. import nn
from ..autograd import no_grad
from ..checks import tensor as expect_tensor
from ..checks import whole
from ..composed.attention import watched_weights
from ..errors import ArgumentError, ShapeError, fail
from ..guard import came
from ..tensor import Tensor
from .canvas import SEQUENTIAL, SIGNED, array, grid_shape, new_figure, panels
from .inputs import evaluating

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GATES = ("input gate", "forget gate", "candidate", "output gate")


# gates --------------------------------------------------------------------------------------------
def lstm_gates(lstm: nn.LSTM, x: Tensor) -> dict[str, Tensor]:
    """The gates and states of an LSTM's first layer at each step of one sequence.

        i, f, o = sigmoid(W x_t + U h_(t-1) + b),  g = tanh(...),  c_t = f c_(t-1) + i g,
        h_t = o tanh(c_t)

    Args: lstm, of one direction; x (T, D), one sequence.
    Returns: "input gate", "forget gate", "candidate", "output gate", "cell" and "output", each
    (T, H). "output" is what the layer gives.
    Source: Hochreiter & Schmidhuber 1997; Karpathy, Johnson & Fei-Fei 2016, section 4.2. Decks: D3
    """
    op = "lstm_gates"
    given: Tensor = expect_tensor(op, "x", x).detach()
    if not isinstance(lstm, nn.LSTM) or lstm.bidirectional or len(given.shape) != 2:
        raise fail(
            ArgumentError,
            op,
            f"expected an nn.LSTM of one direction and x (T, D), got {came(lstm)} and {came(x)}; "
            "pass one sequence of it, x[:, 0]",
        )
    size = lstm.hidden_size
    found: dict[str, list[Tensor]] = {name: [] for name in (*GATES, "cell", "output")}
    with no_grad():
        wx, wh = lstm.weight_ih_l0, lstm.weight_hh_l0
        bias = lstm.bias_ih_l0 + lstm.bias_hh_l0 if lstm.bias else 0.0
        drive = F.matmul(given, wx.T) + bias
        h = c = drive[0, :size] * 0.0
        for t in range(len(given)):
            parts = F.chunk(drive[t] + F.mv(wh, h), 4)
            i, f, o = (F.sigmoid(parts[k]) for k in (0, 1, 3))
            g = F.tanh(parts[2])
            c = f * c + i * g
            h = o * F.tanh(c)
            for name, value in zip(found, (i, f, g, o, c, h), strict=True):
                found[name].append(value)
    return {name: F.stack(values) for name, values in found.items()}


def plot_gates(lstm: nn.LSTM, x: Tensor, units: int = 24) -> Figure:
    """The gates, cell states and outputs of an LSTM over one sequence: time to the right.

    Args: as for `lstm_gates`; units, how many are shown.
    Returns: Figure with six panels; gates from 0 (shut) to 1 (open), the others white at zero.
    Source: Karpathy et al. 2016, figure 3. Decks: D3
    """
    figure, axes = panels(2, 3, (4.0, 2.4), "An LSTM along a sequence")
    for ax, (name, values) in zip(axes, lstm_gates(lstm, x).items(), strict=True):
        shown = array(values[:, :units]).T
        limit = float(abs(shown).max()) or 1.0
        scale = {"cmap": SEQUENTIAL, "vmin": 0.0, "vmax": 1.0}
        if not name.endswith("gate"):
            scale = {"cmap": SIGNED, "vmin": -limit, "vmax": limit}
        drawn = ax.imshow(shown, aspect="auto", interpolation="nearest", **scale)
        ax.set(title=name, xlabel="step", ylabel="unit")
        figure.colorbar(drawn, ax=ax)
    return figure


# characters ---------------------------------------------------------------------------------------
def plot_text_activations(text: str, values: Tensor, title: str = "", width: int = 60) -> Figure:
    """A text with each character on the colour of one unit's activation there.

    Args: text of T characters; values (T,), such as one column of `lstm_gates`' cells; width,
    characters in a line.
    Returns: Figure; red above zero, blue below. Raises: ShapeError if T differ.
    Source: Karpathy, Johnson & Fei-Fei 2016, figure 2. Decks: D3
    """
    op = "plot_text_activations"
    given: Tensor = expect_tensor(op, "values", values).detach()
    if given.shape != (len(text),) or not text:
        raise fail(
            ShapeError,
            op,
            f"expected one value for each of {len(text)} characters, got {given.shape}; "
            "pick one unit: values[:, unit]",
        )
    numbers = array(given)
    limit = float(abs(numbers).max()) or 1.0
    rows, columns = grid_shape(len(text), whole(op, "width", width))
    figure = new_figure(1.2 + 0.15 * columns, 0.9 + 0.28 * rows, title)
    ax = figure.subplots()
    ax.set(xlim=(0, columns), ylim=(rows, 0), xticks=[], yticks=[])
    import numpy as np

    cells = np.full(rows * columns, np.nan)
    cells[: len(text)] = numbers
    drawn = ax.imshow(
        cells.reshape(rows, columns), cmap=SIGNED, vmin=-limit, vmax=limit, aspect="auto",
        extent=(0, columns, rows, 0),
    )  # fmt: skip
    for i, letter in enumerate(text):
        dark = abs(numbers[i]) > 0.6 * limit
        ax.text(
            i % columns + 0.5, i // columns + 0.5, _visible(letter), ha="center", va="center",
            family="monospace", color="white" if dark else "black", parse_math=False,
        )  # fmt: skip
    figure.colorbar(drawn, ax=ax, label="activation")
    return figure


def _visible(letter: str) -> str:
    """A character that can be seen: ends of lines and tabs as arrows, others as a dot."""
    signs = {"\n": "\u21b5", "\t": "\u2192", " ": " "}
    return signs.get(letter, letter if letter.isprintable() else "\u00b7")


# attention ----------------------------------------------------------------------------------------
def attention_maps(model: Callable[..., Any], *inputs: Any) -> list[Tensor]:
    """The weights softmax(q k^T scale + mask) of every attention of a model, in order of calls.

    Args: model, called once on `inputs`, in evaluation and outside any graph. What runs through
    nn.MultiheadAttention or F.scaled_dot_product_attention is seen.
    Returns: tensors (..., L, S): usually (N, heads, L, S); rows sum to 1.
    Source: Vaswani et al. 2017, figures 3 to 5.
    """
    with evaluating(model), no_grad(), watched_weights() as seen:
        model(*inputs)
    return seen


def plot_attention(
    weights: Tensor, queries: Sequence[str] | None = None, keys: Sequence[str] | None = None
) -> Figure:
    """Attention maps, a panel for each head: row i says where query i looks.

    Args: weights (L, S), (H, L, S), or (1, H, L, S), of one input; queries and keys: tokens of the
    axes (keys as queries by default where L = S).
    Returns: Figure. Raises: ShapeError. Source: Vaswani et al. 2017, figures 3 to 5.
    """
    op = "plot_attention"
    given: Tensor = expect_tensor(op, "weights", weights).detach()
    if len(given.shape) == 4 and given.shape[0] == 1:
        given = given[0]
    heads = given.unsqueeze(0) if len(given.shape) == 2 else given
    keys = queries if keys is None and len(heads.shape) == 3 and (
        heads.shape[1] == heads.shape[2]
    ) else keys  # fmt: skip
    sizes = [None if t is None else len(t) for t in (queries, keys)]
    if len(heads.shape) != 3 or any(
        n is not None and n != size for n, size in zip(sizes, heads.shape[1:], strict=True)
    ):
        raise fail(
            ShapeError,
            op,
            f"expected weights (H, L, S) of one input with L and S tokens, got {weights.shape} and "
            f"{sizes[0]} and {sizes[1]} tokens; pick one input: weights[0]",
        )
    rows, columns = grid_shape(len(heads), 4)
    figure, axes = panels(rows, columns, (3.0, 2.9), "Attention")
    for h, ax in enumerate(axes):
        if h >= len(heads):
            ax.axis("off")
            continue
        drawn = ax.imshow(array(heads[h]), cmap=SEQUENTIAL, vmin=0.0, vmax=float(heads.max()))
        ax.set_title(f"head {h}" if len(heads) > 1 else "", fontsize="medium")
        if keys is not None:
            ax.set_xticks(range(len(keys)), list(keys), rotation=90, fontsize="small")
        if queries is not None:
            ax.set_yticks(range(len(queries)), list(queries), fontsize="small")
        ax.set(xlabel="key", ylabel="query" if h % columns == 0 else "")
    figure.colorbar(drawn, ax=axes, label="weight", shrink=0.8)
    return figure

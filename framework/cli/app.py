"""The commands and their options. What a command does is in the file of its name, loaded for it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from math import isfinite
from typing import TYPE_CHECKING, Any

import click

from etude.backends.registry import BackendUnavailable

from ..errors import EtudeError, NonFiniteLoss, nearest

# Generic since click 8.2, and not to be subscripted before.
if TYPE_CHECKING:
    Kind = click.ParamType[Any]
else:
    Kind = click.ParamType

DONE, FAILED, REFUSED, STOPPED = 0, 1, 2, 130


class Commands(click.Group):
    """A group that names the nearest command when there is none of the name given."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            ctx.fail(f"no command is called {args[0]!r}; {nearest(args[0], self.commands)}")
        return super().resolve_command(ctx, args)


class Positive(Kind):
    """A finite number above zero."""

    name = "number"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        try:
            number = float(value)
        except ValueError:
            self.fail(f"{value!r} is not a number", param, ctx)
        if not (isfinite(number) and number > 0.0):
            self.fail(f"expected a number above 0, got {value}", param, ctx)
        return number


class Whole(Kind):
    """A whole number that is not too small."""

    name = "number"

    def __init__(self, least: int) -> None:
        self.least = least

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            number = int(value)
        except ValueError:
            number = self.least - 1
        if number < self.least:
            self.fail(f"expected a whole number >= {self.least}, got {value}", param, ctx)
        return number


class Part(Kind):
    """A fraction of a whole."""

    name = "fraction"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        try:
            part = float(value)
        except ValueError:
            part = -1.0
        if not 0.0 <= part < 1.0:
            self.fail(f"expected a number in [0, 1), got {value}", param, ctx)
        return part


class Size(Kind):
    """An image's shape: C,H,W."""

    name = "C,H,W"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        parts = str(value).replace("x", ",").split(",")
        if not all(p.strip().isdecimal() and int(p) > 0 for p in parts):
            self.fail(f"expected sizes above 0 such as 3,32,32, got {value!r}", param, ctx)
        return tuple(int(p) for p in parts)


Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def options(*decorators: Decorator) -> Decorator:
    """Several options as one decorator, in the order in which --help lists them."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


DATA = options(
    click.option(
        "--data",
        default="digits",
        metavar="NAME",
        help="Data set: digits, mnist, fashion-mnist, cifar10, cifar100, folder.",
    ),
    click.option(
        "--data-dir",
        metavar="FOLDER",
        help="Folder of a data set read from files.  [default: downloaded into ETUDE_DATA]",
    ),
    click.option("--split", metavar="NAME", help="How to split it; digits: random or ordered."),
)
SEED = click.option("--seed", default=0, type=Whole(0), help="Of weights, order, split.")
RECIPE = options(
    click.option("--epochs", default=30, type=Whole(1), help="Passes over the data."),
    click.option("--batch-size", default=32, type=Whole(1), help="Images in a step."),
    click.option(
        "--optimizer", default="adam", metavar="NAME", help="adam, adamw, sgd (momentum 0.9)."
    ),
    click.option("--lr", type=Positive(), help="Learning rate.  [default: adam 0.002, sgd 0.02]"),
    click.option(
        "--schedule", default="cosine", metavar="NAME", help="Learning rate: cosine, constant."
    ),
    click.option(
        "--shift",
        default=2,
        type=Whole(0),
        help="Move training images by up to this many pixels.",
    ),
    click.option(
        "--augment",
        default="",
        show_default=False,
        metavar="WORDS",
        help="Further changes of training images, with commas: flip, vflip, translate, rotate=10, "
        "zoom=0.1, shear, brightness, contrast, noise=0.1, saltpepper, cutout.",
    ),
    click.option(
        "--input", "size", type=Size(), help="Shape of the images.  [default: the model's]"
    ),
    click.option("--compile", is_flag=True, help="Record the training step once and replay it."),
)
THREADS = click.option(
    "--threads",
    type=Whole(1),
    help="Threads of kernels and BLAS.  [default: all cores for c and numba; for BLAS what "
    "OPENBLAS_NUM_THREADS and the like say, else 1]",
)
OUT = click.option("--out", metavar="FOLDER", help="Where results go.  [default: runs/TIME-...]")

CONTEXT = {"help_option_names": ["-h", "--help"], "show_default": True, "max_content_width": 100}


def _version() -> str:
    try:
        return version("etude")
    except PackageNotFoundError:
        return "unknown"


@click.group(cls=Commands, context_settings=CONTEXT, invoke_without_command=True)
@click.version_option(_version(), "-V", "--version", message="etude %(version)s")
@click.pass_context
def app(ctx: click.Context) -> None:
    """A deep-learning framework to read in a weekend and race against PyTorch.

    Start with: etude compare lenet5
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@app.command(short_help="Train one model on every backend, and compare.")
@click.argument("model", default="lenet5")
@DATA
@click.option(
    "--backends", metavar="NAMES", help="Names with commas.  [default: all that work here]"
)
@RECIPE
@SEED
@THREADS
@click.option(
    "--budget",
    default=30.0,
    type=Positive(),
    help="Seconds for the pure-Python backend; it is compared over the steps it makes.",
)
@OUT
def compare(**chosen: Any) -> int:
    """Train one MODEL from one seed on every backend, and compare curves, accuracy and speed.

    MODEL is lenet5, mlp, resnet20 or another. NumPy trains to the end and is what the others are
    compared with. Ctrl-C keeps what was done.
    """
    from .compare import compare

    return compare(**chosen)


@app.command(short_help="Train a model and save it.")
@click.argument("model")
@DATA
@click.option(
    "--backend", metavar="NAME", help="What computes.  [default: ETUDE_BACKEND, else numpy]"
)
@RECIPE
@click.option(
    "--validation",
    default=0.0,
    type=Part(),
    help="Part of the training data to watch and not to learn.",
)
@click.option(
    "--patience",
    type=Whole(1),
    help="Stop after this many epochs without a better validation loss (on a tenth, unless "
    "--validation says more); keep the best weights.",
)
@click.option(
    "--checkpoint-every",
    default=100,
    type=Whole(1),
    help="Steps between checkpoints; one is also written after each epoch and on Ctrl-C.",
)
@click.option(
    "--workers", default=0, type=Whole(0), help="Processes that make batches; 0 is this one."
)
@click.option(
    "--resume", "go_on", is_flag=True, help="Go on from the checkpoint in --out, if there is one."
)
@SEED
@THREADS
@OUT
def train(**chosen: Any) -> int:
    """Train a MODEL (lenet5, mlp, resnet20, ...); save its weights, history and scores."""
    from .train import train

    return train(**chosen)


@app.command("eval", short_help="Score a trained model.")
@click.argument("run", metavar="RUN")
@click.option("--data", metavar="NAME", help="Another data set than the one it was trained on.")
@click.option("--data-dir", metavar="FOLDER", help="Folder of a data set read from files.")
@click.option("--split", metavar="NAME", help="Another split.")
@click.option("--seed", type=Whole(0), help="Another seed of the split.")
@click.option(
    "--backend", metavar="NAME", help="What computes.  [default: ETUDE_BACKEND, else numpy]"
)
@click.option("--batch-size", default=256, type=Whole(1), help="Images in a batch.")
def evaluate(**chosen: Any) -> int:
    """Score a trained model on its test data. RUN is a run's folder or a weights file."""
    from .evaluate import evaluate

    return evaluate(**chosen)


@app.command(short_help="Look inside a trained model.")
@click.argument("what", metavar="WHAT")
@click.argument("run", metavar="RUN")
@click.option("--layer", metavar="NAME", help="Layer, as etude summary lists it.")
@click.option("--count", default=6, type=Whole(1), help="Images, channels or classes to show.")
@click.option(
    "--backend", metavar="NAME", help="What computes.  [default: ETUDE_BACKEND, else numpy]"
)
@click.option("--out", metavar="FILE", help="Where the picture goes.  [default: RUN/WHAT.png]")
def show(**chosen: Any) -> int:
    """Draw a picture of a trained model into a PNG file. RUN is a run's folder or weights file.

    WHAT is history, filters, features, weights, activations, gradients, saliency, occlusion,
    deconvolution, maximised, adversarial, fooling, invariance, loss, confusion, mistakes or graph.
    """
    from .pictures import show

    return show(**chosen)


@app.command(short_help="Show backends, BLAS, threads and CPU.")
def info() -> int:
    """Show version, backends (and why one is off), BLAS, threads and CPU."""
    from .info import info

    return info()


@app.command(short_help="List the layers of a model.")
@click.argument("model")
@click.option("--input", "size", type=Size(), help="Shape of one image.  [default: the model's]")
def summary(**chosen: Any) -> int:
    """List the layers of a MODEL, their output shapes and their parameters."""
    from .summary import summary

    return summary(**chosen)


@app.command(short_help="Show where the time of a model's steps goes.")
@click.argument("model")
@click.option(
    "--backend", metavar="NAME", help="What computes.  [default: ETUDE_BACKEND, else numpy]"
)
@click.option("--input", "size", type=Size(), help="Shape of one image.  [default: the model's]")
@click.option("--batch-size", default=64, type=Whole(1), help="Images in a step.")
@click.option("--steps", default=10, type=Whole(1), help="Steps that are timed.")
@click.option("--forward", is_flag=True, help="Forward passes in evaluation, not training steps.")
@click.option("--compile", "compiled", is_flag=True, help="Compile the step first.")
@click.option("--by", default="op", metavar="WORD", help="op, shape, module, stage or backend.")
@click.option(
    "--sort",
    "sort_by",
    default="time",
    metavar="WORD",
    help="time, calls, mean, flops, bytes, memory, ceiling or name.",
)
@SEED
@THREADS
@click.option("--out", metavar="FILE", help="Write a trace for ui.perfetto.dev, as JSON.")
def profile(**chosen: Any) -> int:
    """Time every call of the backend in a few steps of a MODEL, on random images.

    The table shows calls, time, speed, and the part of what this machine can do.
    """
    from .profiled import profiled

    return profiled(**chosen)


def run(args: Sequence[str]) -> int:
    """Run a command line; what goes wrong on purpose is one line on stderr. The exit code."""
    try:
        code = app.main(list(args), prog_name="etude", standalone_mode=False)
    except click.ClickException as error:
        return _refuse(error.format_message())
    except NonFiniteLoss as error:
        return _refuse(str(error), FAILED)
    except (EtudeError, BackendUnavailable) as error:
        return _refuse(str(error))
    except (KeyboardInterrupt, click.Abort):
        return _refuse("stopped", STOPPED)
    return code if isinstance(code, int) else DONE


def _refuse(message: str, code: int = REFUSED) -> int:
    print("etude:", " ".join(message.split()), file=sys.stderr)
    return code

"""Folders of pictures: one folder for each class, read with Pillow when a batch needs them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..creation import tensor
from ..errors import ArgumentError, BadFile, fail
from ..functional import stack
from ..ops.sampling import Generator
from ..optional import require
from .dataset import Dataset, Sample, random_split
from .mixing import Transformed
from .splits import Splits
from .transforms.basic import Normalize

SPLITS = ("standard", "random")
IMAGE = (3, 224, 224)
# Formats that Pillow decodes itself: others start programs or read further files.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
ENDINGS = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
MOST_PIXELS = 50_000_000
MODES = {1: "L", 3: "RGB"}


class ImageFolder(Dataset):
    """Pictures `root/CLASS/NAME.png` and so on: float32 (C, H, W) in 0 ... 1, and int64 labels.

    Classes are numbered in the order of their names. A picture is opened when it is asked for,
    resized so that it covers `shape` (C, H, W) and cut to its middle; C is 1 (grey) or 3. Names
    that begin with a dot, and files of other endings, are passed over.

    Args: `most` is how many pixels a picture may have; a file that says it has more (a
    decompression bomb) is refused before it is decoded.
    Raises BadFile without pictures, and for a picture that is damaged when it is read;
    MissingLibrary without Pillow; ArgumentError for another number of channels. Source: none.
    Decks: none; for pictures of one's own.
    """

    def __init__(
        self, root: str | Path, shape: tuple[int, int, int] = IMAGE, most: int = MOST_PIXELS
    ) -> None:
        if shape[0] not in MODES or min(shape) < 1:
            why = f"expected a shape (1 or 3, H, W), got {tuple(shape)}; use 3 for colour"
            raise fail(ArgumentError, "ImageFolder", why)
        self.root, self.shape, self.most = Path(root), shape, most
        self.classes = _folders(self.root)
        self.samples = [
            (path, label)
            for label, name in enumerate(self.classes)
            for path in sorted((self.root / name).rglob("*"))
            if path.suffix.lower() in ENDINGS and path.name[0] != "." and path.is_file()
        ]
        if not self.samples:
            why = f"no pictures in folders of {root}; put them there, one folder for each class"
            raise fail(BadFile, "ImageFolder", why)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Sample:
        path, label = self.samples[index]
        pixels = read_image(path, self.shape, self.most)
        x = tensor(pixels.astype("float32") / 255.0, backend="numpy")
        return x, tensor(label, backend="numpy")

    def batch(self, indices: Sequence[int]) -> Sample:
        """The pictures at these places, read now."""
        images, labels = zip(*(self[i] for i in indices), strict=True)
        return stack(images), stack(labels)


def read_image(path: str | Path, shape: tuple[int, int, int], most: int = MOST_PIXELS) -> Any:
    """A picture as uint8 (C, H, W), covering the shape and cut to its middle.

    Raises BadFile if it has more than `most` pixels, is damaged or no picture.
    """
    image_module = require("PIL.Image", "images", "ImageFolder")
    channels, height, width = shape
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its own limits: ours is below
            with image_module.open(path, formats=FORMATS) as file:
                if file.width * file.height > most:
                    raise _bad(path, f"{file.width} x {file.height} pixels, {most} at most")
                picture = _covering(file.convert(MODES[channels]), width, height, image_module)
    except BadFile:
        raise
    except MemoryError:
        raise
    except Exception as error:  # a damaged picture can raise anything in a decoder
        raise _bad(path, str(error).rstrip(".") or type(error).__name__) from None
    import numpy as np

    pixels = np.asarray(picture).reshape(height, width, channels)
    return np.moveaxis(pixels, -1, 0)


def _covering(picture: Any, width: int, height: int, image_module: Any) -> Any:
    """The middle (width, height) of a picture that is resized, with smoothing, to cover them."""
    scale = max(width / picture.width, height / picture.height)
    across, down = width / scale, height / scale
    left, top = (picture.width - across) / 2, (picture.height - down) / 2
    box = (left, top, min(left + across, picture.width), min(top + down, picture.height))
    return picture.resize((width, height), image_module.Resampling.BILINEAR, box=box)


def _folders(root: Path) -> list[str]:
    try:
        return sorted(p.name for p in root.iterdir() if p.is_dir() and p.name[0] != ".")
    except OSError as error:
        why = f"cannot read {root}: {error.strerror or error}; check the path"
        raise fail(BadFile, "ImageFolder", why) from None


def _bad(path: str | Path, what: str) -> Exception:
    return fail(
        BadFile,
        "ImageFolder",
        f"expected {path} to be a whole picture, got: {what:.120}; replace it or leave it out",
    )


def folder(
    split: str = "standard",
    seed: int = 0,
    shape: tuple[int, int, int] = IMAGE,
    root: str | Path | None = None,
) -> Splits:
    """A folder of pictures as a problem: `standard` reads root/train and root/test (or val).

    `random` cuts root itself, 70 % to train and 30 % to test. The mean and deviation of each
    channel are taken from the training pictures, all of which are read for that. Raises what
    `ImageFolder` raises, BadFile if the two parts have other classes, ArgumentError without `root`.
    """
    if root is None:
        why = "expected root, the folder of the pictures, got None; use --data-dir or root="
        raise fail(ArgumentError, "folder", why)
    train: Dataset
    test: Dataset
    if split == "random":
        whole = ImageFolder(root, shape)
        train, test = random_split(whole, [0.7, 0.3], Generator().manual_seed(seed))
        classes = whole.classes
    else:
        place = Path(root)
        judged = next((n for n in ("test", "val") if (place / n).is_dir()), "test")
        train, test = (ImageFolder(place / name, shape) for name in ("train", judged))
        classes = train.classes
        if test.classes != classes:
            why = f"expected the classes of train in {judged} of {root}, got {test.classes}"
            raise fail(BadFile, "folder", f"{why:.200}; give both the same folders")
    normalize = Normalize.fit(train)
    parts = [Transformed(part, normalize) for part in (train, test)]
    form = f"covering {shape[1]}x{shape[2]}, their middle"
    return Splits(parts[0], parts[1], len(classes), 0.0, form)

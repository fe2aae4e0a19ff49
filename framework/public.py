"""The short names of modules: `import etude.nn as nn`, `import etude.nn.functional as F`."""

from __future__ import annotations

import sys
from collections.abc import Collection

TORCH_S = {
    "nn.functional": "functional",
    "nn.utils": "optim.clip",
    "optim.lr_scheduler": "optim.schedule",
}


def publish(names: Collection[str]) -> None:
    """Let imports find `etude.framework.<name>`, and all below it, as `etude.<name>` too.

    Both are one module: without this, `import etude.nn` would fail, although `etude.nn` is there.
    """
    for path, module in list(sys.modules.items()):
        short = path.removeprefix("etude.framework.")
        if short != path and short.partition(".")[0] in names:
            sys.modules.setdefault(f"etude.{short}", module)
    for short, inner in TORCH_S.items():
        sys.modules.setdefault(f"etude.{short}", sys.modules[f"etude.framework.{inner}"])

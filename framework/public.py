"""The short names of modules: `import etude.nn as nn`, `from etude.data import DataLoader`."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

ROOT = "etude."
TORCH_S = {
    "nn.functional": "functional",
    "nn.utils": "optim.clip",
    "optim.lr_scheduler": "optim.schedule",
}


class ShortNames:
    """Finds `etude.<name>`, and all below it, as the one module `etude.framework.<name>`.

    That one is imported when it is first asked for. (A finder and loader in all but the base
    classes of importlib.abc, whose import would take longer than all this saves.)
    """

    def __init__(self, names: Collection[str]) -> None:
        self.names = frozenset(names)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """A spec for a short name, and None for any other."""
        short = fullname.removeprefix(ROOT)
        if short == fullname or short.partition(".")[0] not in self.names:
            return None
        loader: Any = self
        return ModuleSpec(fullname, loader)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The module under its long name. The import system will put `spec` into it."""
        short = spec.name.removeprefix(ROOT)
        try:
            module = import_module(f"{ROOT}framework.{TORCH_S.get(short, short)}")
        except ModuleNotFoundError as error:
            if error.name is None or not error.name.startswith(ROOT):
                raise
            raise ModuleNotFoundError(f"No module named {spec.name!r}", name=spec.name) from None
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Give the module, which has run already, its own spec back."""
        if module.__spec__ is not None:
            module.__spec__ = module.__spec__.loader_state


def publish(names: Collection[str]) -> None:
    """Let imports find the modules of the core by their short names.

    First among the finders, so that no folder of such a name is taken for one.
    """
    sys.meta_path.insert(0, ShortNames(names))

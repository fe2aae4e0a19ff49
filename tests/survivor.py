"""A training run to be killed: `python tests/survivor.py FOLDER` begins, or goes on, and finishes.

It has all that has state (dropout, batch norm, Adam, a schedule, early stopping, a shuffled loader
with random shifts) and a checkpoint after every step. At its end it leaves `result.json`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import etude
from etude import nn, optim
from etude.framework.data import DataLoader, TensorDataset
from etude.framework.files import write_atomic
from etude.framework.training import Checkpoints, EarlyStopping, Trainer, resume

STEPS_AN_EPOCH, EPOCHS = 8, 8


def train(folder: Path) -> None:
    """Go on from the checkpoint in the folder, if there is one, to the end."""
    etude.manual_seed(11)
    x, y = etude.rand(STEPS_AN_EPOCH * 4, 6), etude.randint(3, size=(STEPS_AN_EPOCH * 4,))
    model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout(0.4), nn.Linear(8, 3))
    optimizer = optim.Adam(model.parameters(), lr=0.03)
    path = folder / "checkpoint.safetensors"
    trainer = Trainer(
        model,
        optimizer,
        scheduler=optim.CosineAnnealingLR(optimizer, STEPS_AN_EPOCH * EPOCHS),
        callbacks=[EarlyStopping(patience=50), Checkpoints(path, every=1)],
    )
    resume(trainer, path)
    batches = DataLoader(TensorDataset(x, y), 4, shuffle=True, seed=5)
    trainer.fit(batches, EPOCHS, DataLoader(TensorDataset(x, y), 16))
    result = {
        "losses": trainer.history.losses,
        "validation": [e.val_loss for e in trainer.history.epochs],
        "weights": {name: t.tolist() for name, t in model.state_dict().items()},
        "rng": etude.get_rng_state(),
    }
    write_atomic(folder / "result.json", json.dumps(result), "survivor")


if __name__ == "__main__":
    train(Path(sys.argv[1]))

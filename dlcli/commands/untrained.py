"""A model's network as it was before training."""

from __future__ import annotations

from dlcli.classifier import Classifier
from dlcli.commands.models import Loaded, assemble
from dlcli.engine.device import place
from dlcli.randomness import borrowed_rng, seed_step


def untrained(loaded: Loaded, *, seed: int) -> Classifier:
    """Returns the same network with new weights on the model's device, in evaluation mode.

    They are drawn as ``dl train`` draws them: with a run's own ``seed`` they are the weights that it began with.
    """
    own = loaded.model
    with borrowed_rng():
        seed_step(seed, "weights", 0)
        model = assemble(loaded.checkpoint.node, own.spec, own.preprocessing, source=loaded.reference)
    placed = place(model, own.mean.device)
    assert isinstance(placed, Classifier)
    return placed.eval()

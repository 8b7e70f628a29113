"""What attacks climb: one number per example, above 0 where the example is fooled (but see each).

Logits are (N, P), one column per class; losses are (N,). With goals in ``examples`` the loss is high where the goal wins.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from dlcli.attacks.examples import Examples

Loss = Callable[[Tensor, Examples], Tensor]


def log_odds(logits: Tensor, examples: Examples) -> Tensor:
    """Returns the log-odds of any wrong class, ln (1 - p_y) / p_y, or with goals those of the goal, ln p_t / (1 - p_t).

    It takes the place of the cross-entropy CE = ln (1 + e^u), which rises with it, so both order points alike and their
    gradients have the same direction; but this one neither underflows nor saturates, however sure the model is.
    """
    classes = examples.targets if examples.goals is None else examples.goals
    others = _without(logits, classes).logsumexp(dim=1)
    odds = others - _of(logits, classes)
    return odds if examples.goals is None else -odds


def margin(logits: Tensor, examples: Examples) -> Tensor:
    """Returns by how much the best wrong class leads the true one, or with goals the goal all others."""
    classes = examples.targets if examples.goals is None else examples.goals
    lead = _without(logits, classes).amax(dim=1) - _of(logits, classes)
    return lead if examples.goals is None else -lead


def dlr(logits: Tensor, examples: Examples) -> Tensor:
    """Returns the difference of logits ratio (Croce and Hein 2020, "Reliable evaluation", eq. 6), free of shift and scale.

    The margin over z_π1 - z_π3, where π sorts the logits downwards. With goals: the margin over the spread of
    :func:`targeted_dlr`. Two classes have no third logit: there it is the plain margin.
    """
    spread = _spread(logits, logits.new_ones(1)) if examples.goals is None else _spread(logits, logits.new_full((2,), 0.5))
    return margin(logits, examples) / spread


def targeted_dlr(logits: Tensor, examples: Examples) -> Tensor:
    """Returns (z_t - z_y) / (z_π1 - (z_π3 + z_π4) / 2), with t the rivals (Croce and Hein 2020, eq. 7).

    Above 0 the rival leads the true class, and a third class may lead both. With three classes the spread is z_π1 - z_π3,
    with two there is none.
    """
    assert examples.rivals is not None
    return (_of(logits, examples.rivals) - _of(logits, examples.targets)) / _spread(logits, logits.new_full((2,), 0.5))


def _spread(logits: Tensor, weights: Tensor) -> Tensor:
    """The largest logit less the weighted third and following; 1 for two classes."""
    highest = logits.topk(min(logits.shape[1], 2 + len(weights)), dim=1).values
    following = highest[:, 2:]
    if following.shape[1] == 0:
        return torch.ones_like(highest[:, 0])
    # Of two weights, three classes have use for one only.
    weights = weights[: following.shape[1]]
    lower = (following * weights / weights.sum()).sum(dim=1)
    return (highest[:, 0] - lower).clamp_min(1e-12)


def _of(logits: Tensor, classes: Tensor) -> Tensor:
    return logits.gather(1, classes[:, None]).squeeze(1)


def _without(logits: Tensor, classes: Tensor) -> Tensor:
    return logits.scatter(1, classes[:, None], -torch.inf)

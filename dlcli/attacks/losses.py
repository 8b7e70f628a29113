"""What attacks climb: one number per example, above 0 where the example is fooled (but see each).

Logits are (N, P), one column per class; losses are (N,). With goals in ``examples`` the loss is high where the goal wins.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from dlcli.attacks.examples import Examples

Loss = Callable[[Tensor, Examples], Tensor]
_TINY = 1e-12


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


def lead(logits: Tensor, examples: Examples) -> Tensor:
    """Returns by how much the rivals lead the true classes; above 0 a third class may lead both."""
    assert examples.rivals is not None
    return _of(logits, examples.rivals) - _of(logits, examples.targets)


def dlr(logits: Tensor, examples: Examples) -> Tensor:
    """Returns the difference of logits ratio (Croce and Hein 2020, "Reliable evaluation", eq. 6), free of shift and scale.

    The margin over z_π1 - z_π3, where π sorts the logits downwards; two classes have no third logit, so there it is the plain
    margin. With goals it is the margin over the spread of :func:`targeted_dlr`.
    """
    return margin(logits, examples) / (_spread(logits) if examples.goals is None else _wide_spread(logits))


def targeted_dlr(logits: Tensor, examples: Examples) -> Tensor:
    """Returns (z_t - z_y) / (z_π1 - (z_π3 + z_π4) / 2), with t the rivals (Croce and Hein 2020, eq. 7).

    Above 0 the rival leads the true class, and a third class may lead both. It needs four classes; with fewer it is the plain
    difference, since over z_π1 - z_π3 the last of three classes would make it -1 everywhere, with no way up.
    """
    return lead(logits, examples) / _wide_spread(logits)


def likeliest_errors(logits: Tensor, targets: Tensor, count: int) -> Tensor:
    """Returns each example's wrong classes, the one with the highest logit first, int64 (N, min(count, P - 1))."""
    return _without(logits, targets).topk(min(count, logits.shape[1] - 1), dim=1).indices


def _spread(logits: Tensor) -> Tensor:
    """z_π1 - z_π3; 1 where there is no third class."""
    if logits.shape[1] < 3:
        return torch.ones_like(logits[:, 0])
    first, _, third = logits.topk(3, dim=1).values.unbind(dim=1)
    return (first - third).clamp_min(_TINY)


def _wide_spread(logits: Tensor) -> Tensor:
    """z_π1 - (z_π3 + z_π4) / 2; 1 where there is no fourth class."""
    if logits.shape[1] < 4:
        return torch.ones_like(logits[:, 0])
    first, _, third, fourth = logits.topk(4, dim=1).values.unbind(dim=1)
    return (first - (third + fourth) / 2).clamp_min(_TINY)


def _of(logits: Tensor, classes: Tensor) -> Tensor:
    return logits.gather(1, classes[:, None]).squeeze(1)


def _without(logits: Tensor, classes: Tensor) -> Tensor:
    return logits.scatter(1, classes[:, None], -torch.inf)

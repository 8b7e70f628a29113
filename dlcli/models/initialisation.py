"""How weights start, by name: what keeps a signal's size through many layers, and what does not.

n_in and n_out are a layer's fan-in and fan-out: inputs and outputs of one unit, for a convolution channels times kernel area.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from torch import Tensor, nn

from dlcli.errors import did_you_mean

Init = Literal["default", "he", "xavier", "orthogonal", "normal_small", "normal_large", "zeros"]

_SMALL, _LARGE = 0.01, 1.0  # standard deviations
_SCHEMES: Mapping[str, Callable[[Tensor], object]] = {
    "he": lambda weight: nn.init.kaiming_normal_(weight, nonlinearity="relu"),
    "xavier": nn.init.xavier_uniform_,
    "orthogonal": nn.init.orthogonal_,
    "normal_small": lambda weight: nn.init.normal_(weight, std=_SMALL),
    "normal_large": lambda weight: nn.init.normal_(weight, std=_LARGE),
    "zeros": nn.init.zeros_,
}


def initialise(module: nn.Module, scheme: Init) -> None:
    """Draws the weights of all linear and convolution layers inside ``module`` anew and sets their biases to zero.

    Norms and embeddings keep what they have. Draws come from torch's global generator, in the order of registration.

    Args:
        module: changed in place.
        scheme: default leaves everything, biases too, as PyTorch's layers set it: uniform, bound 1 / sqrt(n_in).
            he: normal, variance 2 / n_in (He et al. 2015, equation 10), keeps the forward signal through ReLUs.
            xavier: uniform, bound sqrt(6 / (n_in + n_out)) (Glorot and Bengio 2010, equation 16), a compromise between
            the forward signal and the gradient where the activation is about linear.
            orthogonal: random with orthonormal rows or columns (Saxe et al. 2014, section 3), keeps every signal's
            length through linear layers of equal width.
            normal_small, normal_large: normal, standard deviation 0.01 and 1 whatever the layer's size: the signal
            vanishes or explodes (saturates) with depth.
            zeros: units of a layer stay equal for ever, so a hidden layer does not learn; enough for a linear model.

    Raises:
        ValueError: there is no such scheme.
    """
    known = ("default", *_SCHEMES)
    if scheme not in known:
        raise ValueError(f"init must be one of {', '.join(known)}, got '{scheme}'{did_you_mean(scheme, known)}")
    if scheme == "default":
        return
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d):
            if layer.weight.is_meta:  # holds no numbers; torch would import seconds' worth of modules to draw none
                continue
            _SCHEMES[scheme](layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)

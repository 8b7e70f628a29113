"""Does a model stand attacks, or does it only hide its gradient from them? One check for each sign, from measured numbers.

The signs are those of Athalye, Carlini and Wagner 2018, "Obfuscated gradients give a false sense of security", §3.1, and
Carlini et al. 2019, "On evaluating adversarial robustness", §4 and §5; where each begins to count is ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["PASS", "WARN", "FAIL"]
_ORDER: tuple[Verdict, ...] = ("PASS", "WARN", "FAIL")


@dataclass(frozen=True, kw_only=True)
class Check:
    """One sign of gradient masking.

    Args:
        name: in metric names.
        words: what is checked.
        value: the figure that it rests on.
        figure: the same in words.
        reason: why that is well, or what it means.
        advice: the next attack to try; empty where it passes.
    """

    name: str
    words: str
    verdict: Verdict
    value: float
    figure: str
    reason: str
    advice: str


def overall(checks: Sequence[Check]) -> Verdict:
    """Returns the worst verdict; PASS where there is no check."""
    return max((check.verdict for check in checks), key=_ORDER.index, default="PASS")


def zero_gradients(cross_entropy: float, log_odds: float) -> Check:
    """A gradient of zero leads nowhere.

    Args:
        cross_entropy: share of correct examples where the gradient of the cross-entropy is zero, in [0, 1].
        log_odds: the same of the log-odds, which our attacks climb: they neither underflow nor saturate.
    """
    worst = max(cross_entropy, log_odds)
    verdict = _graded(worst, 0.01, 0.1)
    figure = f"{100 * cross_entropy:.0f} % of the cross-entropy, {100 * log_odds:.0f} % of the log-odds"
    if verdict == "PASS":
        reason, advice = "almost every example has a slope to climb", ""
    elif log_odds > 0.01:
        reason = "the network itself is flat: rounding, a step function or saturated units stop the gradient"
        advice = "dl attack square; a smooth stand-in for the flat layer (BPDA)"
    else:
        reason = "the logits are so large that the cross-entropy underflows: attacks that climb it see nothing"
        advice = "attacks on logits: dl attack apgd_dlr, dl attack apgd_t (dl's own loss does not underflow)"
    return _check("zero_gradients", "gradients that are zero", verdict, worst, figure=figure, reason=reason, advice=advice)


def finite_differences(disagreeing: float, flat: float) -> Check:
    """The gradient must be the slope.

    Args:
        disagreeing: share of examples where the slopes by autograd and by finite differences along random directions differ.
        flat: share of examples where both are zero, which count as neither.
    """
    verdict: Verdict = "FAIL" if flat == 1 else _graded(disagreeing, 0.05, 0.2)
    figure = f"{100 * disagreeing:.0f} % of examples differ" + (f", {100 * flat:.0f} % have no slope at all" if flat else "")
    if verdict == "PASS":
        reason, advice = "autograd gives the slope that is there", ""
    elif flat == 1:
        reason, advice = "there is no slope anywhere, by either way", "dl attack square"
    else:
        reason = "what autograd says is not the slope: a custom backward pass, noise, or a very rough surface"
        advice = "dl attack square; more restarts"
    return _check("finite_differences", "autograd against finite differences", verdict, disagreeing, figure=figure, reason=reason,
                  advice=advice)  # fmt: skip


def large_radius(standing: int, n: int, radius: float) -> Check:
    """Where every image is within reach, nothing may stand: PGD at a radius that holds the whole box."""
    share = standing / n if n else 0.0
    verdict = _graded(share, 0.01, 0.1)
    reason = "everything falls where every image is within reach" if verdict == "PASS" else (
        "images of other classes are within reach, and the attack does not find them"
    )  # fmt: skip
    figure = f"{standing} of {n} stand PGD at {radius:.3g}"
    return _check("large_radius", "accuracy at a radius without bound", verdict, share, figure=figure, reason=reason,
                  advice="dl attack apgd_t, dl attack square")  # fmt: skip


def monotone(accuracies: Sequence[int], radii: Sequence[float], n: int) -> Check:
    """A larger ball holds the smaller one: accuracy may not rise with the radius.

    Args:
        accuracies: examples of ``n`` that stand PGD at each of ``radii``, each run by itself.
    """
    rises = [max(after - min(accuracies[: place + 1]), 0) for place, after in enumerate(accuracies[1:])]
    worst = max(rises, default=0)
    verdict = _counted(worst, n)
    shown = ", ".join(f"{100 * stood / max(n, 1):.0f} % at {radius:.3g}" for stood, radius in zip(accuracies, radii, strict=True))
    reason = "accuracy falls with the radius" if verdict == "PASS" else (
        "PGD does worse in a larger ball, so it is stuck: its steps or its starts do not fit"
    )  # fmt: skip
    return _check("monotone", "accuracy over a rising radius", verdict, worst / max(n, 1), figure=shown, reason=reason,
                  advice="dl attack apgd_ce attack.restarts=5")  # fmt: skip


def pgd_over_fgsm(pgd: int, fgsm: int, n: int) -> Check:
    """Many steps must do at least what one does. ``pgd`` and ``fgsm`` of ``n`` examples stand."""
    worst = max(pgd - fgsm, 0)
    verdict = _counted(worst, n)
    reason = "many steps break at least what one step breaks" if verdict == "PASS" else (
        "one step breaks what many steps do not: the surface is too rough for the gradient to be followed"
    )  # fmt: skip
    return _check("pgd_over_fgsm", "PGD against FGSM", verdict, worst / max(n, 1), figure=f"{pgd} stand PGD, {fgsm} stand FGSM",
                  reason=reason, advice="dl attack pgd attack.restarts=10, dl attack apgd_t")  # fmt: skip


def more_effort(fell: int, tried: int, standing: int, n: int) -> Check:
    """Twice the steps and more starts may change little.

    Args:
        fell: of ``tried`` examples that stood everything so far, those that more effort broke.
        standing: examples that stood everything so far, of ``n``, the misclassified among them: points are those of accuracy.
    """
    change = fell / tried * standing / n if tried and n else 0.0
    # Of few examples, each stands for many points: one says nothing and two warn, as in the other counts.
    verdict = min(_graded(change, 0.005, 0.02), _counted(fell, tried), key=_ORDER.index)
    figure = f"{fell} of {tried} that stood fell: {100 * change:.2f} points" if tried else "nothing was left standing"
    if not tried:
        reason = "every example had fallen before"
    else:
        reason = "more steps and starts change little" if verdict == "PASS" else "more steps and starts break more: not converged"
    return _check("more_effort", "more steps and restarts", verdict, change, figure=figure, reason=reason,
                  advice="study.steps=500 study.queries=20000")  # fmt: skip


def black_box(fell: int, tried: int, n: int) -> Check:
    """Who sees logits alone may not do better than who sees gradients.

    Args:
        fell: of ``tried`` examples that stood every attack with gradients, those that Square broke; ``n`` examples in all.
    """
    verdict = _counted(fell, n)
    figure = f"Square broke {fell} of {tried} that stood" if tried else "nothing was left standing for Square"
    if not tried:
        reason = "gradients broke every example, so they are of use"
    elif verdict == "PASS":
        reason = "random search finds nothing that gradients missed"
    else:
        reason = "random search breaks what attacks with gradients did not: their gradient is of no use"
    return _check("black_box", "black box against white box", verdict, fell / max(n, 1), figure=figure, reason=reason,
                  advice="dl attack square attack.queries=20000; transfer from another network")  # fmt: skip


def randomness(change: float, flips: float) -> Check:
    """Two passes over the same inputs must agree.

    Args:
        change: largest difference of two logits over their spread.
        flips: share of examples whose predicted class differs.
    """
    verdict: Verdict = "FAIL" if flips > 0 or change > 1e-3 else ("WARN" if change > 1e-5 else "PASS")
    figure = f"logits differ by {change:.2g} of their spread, {100 * flips:.0f} % of the classes differ"
    reason = "the model gives the same answer twice" if verdict == "PASS" else (
        "the model draws random numbers: one gradient is one draw, and a broken example may stand the next time"
    )  # fmt: skip
    return _check("randomness", "two passes over the same inputs", verdict, change, figure=figure, reason=reason,
                  advice="the mean of many gradients at each step (EOT); dl attack square")  # fmt: skip


def softmax_outputs(are_probabilities: bool, *, binary: bool) -> Check:
    """Attacks want logits: probabilities saturate.

    Args:
        are_probabilities: all outputs are probabilities; where ``binary``, all of the one logit's lie in [0, 1].
    """
    verdict: Verdict = ("WARN" if binary else "FAIL") if are_probabilities else "PASS"
    figure = "they are probabilities" if are_probabilities else "they are logits"
    if are_probabilities and binary:
        figure = "all lie in [0, 1]"
    reason = "outputs are logits" if verdict == "PASS" else "outputs are probabilities, which saturate where the model is sure"
    return _check("softmax_outputs", "outputs of the model", verdict, float(are_probabilities), figure=figure, reason=reason,
                  advice="the same network without its last softmax or sigmoid")  # fmt: skip


def _graded(share: float, warn: float, fail: float) -> Verdict:
    return "FAIL" if share > fail else "WARN" if share > warn else "PASS"


def _counted(examples: int, n: int) -> Verdict:
    """Half a point passes, two are warned of; of few examples one and two, since one more or less says nothing."""
    if examples <= max(1.0, 0.005 * n):
        return "PASS"
    return "WARN" if examples <= max(2.0, 0.02 * n) else "FAIL"


def _check(name: str, words: str, verdict: Verdict, value: float, *, figure: str, reason: str, advice: str) -> Check:
    own = "" if verdict == "PASS" else advice
    return Check(name=name, words=words, verdict=verdict, value=value, figure=figure, reason=reason, advice=own)

"""What to try next on the same model and images, as commands that can be typed as they stand."""

from __future__ import annotations

import shlex

from dlcli.config.schema import AttackSettings, EvaluateSettings, ExplainSettings

Steps = tuple[tuple[str, str], ...]


def same_subject(settings: AttackSettings | ExplainSettings) -> str:
    """Returns the flags, each after a space, that name what the user named: ``--run`` and ``--images``."""
    named = {"--run": settings.run, "--images": settings.images}
    return "".join(f" {flag} {shlex.quote(value)}" for flag, value in named.items() if value is not None)


def after_attack(settings: AttackSettings, *, name: str, kind: str, epsilon: float | None) -> Steps:
    """Returns what to try after an attack.

    Args:
        name: the attack's, as it is typed.
        kind: of data, "image" or "table".
        epsilon: the attack's radius; None where it has none.
    """
    same = same_subject(settings)
    steps: Steps = ()
    # A radius means nothing without its norm.
    in_l2 = settings.attack.get("norm") == "l2"
    norm = " attack.norm=l2" if in_l2 else ""
    if kind == "table":
        if (name, in_l2) != ("fab_t", True):
            steps += ((f"dl attack fab_t attack.norm=l2{same}", "how little must change to flip a verdict"),)
        if settings.immutable is None:
            steps += ((f"dl attack {name}{norm} --immutable NAME,NAME{same}", "columns that nobody can change"),)
        return steps
    steps += ((f"dl explain gradcam{same}", "where it looks"),)
    if epsilon:
        smaller = f"{epsilon / 2:.3g}" if in_l2 else half(epsilon)
        named = {"--targeted": settings.targeted, "--source": settings.source}
        aim = "".join(f" {flag} {shlex.quote(value)}" for flag, value in named.items() if value is not None)
        steps += ((f"dl attack {name} attack.epsilon={smaller}{norm}{aim}{same}", "half the radius"),)
    if settings.images is None:
        study = " study.norm=l2" if in_l2 else ""
        steps += ((f"dl attack report{study}{same}", "all attacks, the worst case of each example, a verdict"),)
    return steps


def after_evaluate(settings: EvaluateSettings) -> Steps:
    """Returns what to try after a classifier of images was measured: on the same model, which need not be the newest."""
    same = "" if settings.run is None else f" --run {shlex.quote(settings.run)}"
    fools = (f"dl attack fgsm{same}", "how little must change to fool it")
    if settings.attack is not None:
        fools = (f"dl attack report{same}", "all attacks, the worst case of each example, a verdict")
    return fools, (f"dl explain gradcam{same}", "where it looks")


def after_explain(settings: ExplainSettings, *, name: str, kind: str) -> Steps:
    """Returns what to try after maps were made by the explainer of this ``name``."""
    same = same_subject(settings)
    if kind == "table":
        return (
            (f"dl explain columns{same}", "what weighs for everybody"),
            (f"dl explain counterfactual{same}", "what would have to change for the model to say something else"),
        )
    other = ("occlusion", "asks for no gradient") if name == "integrated_gradients" else ("integrated_gradients", "adds up")
    steps: Steps = ((f"dl explain {other[0]}{same}", f"another method, which {other[1]}"),)
    if settings.images is None and settings.select is None:
        steps += ((f"dl explain {name} --select worst{same}", "its worst mistakes"),)
    return (*steps, (f"dl attack fgsm{same}", "how little must change to fool it"))


def half(epsilon: float) -> str:
    """Returns half of a radius as people write it: in Linf, of 8/255 it is ``4/255``, of 0.3 it is ``0.15``."""
    levels = epsilon * 255
    even = abs(levels - round(levels)) < 1e-3 and round(levels) % 2 == 0
    return f"{round(levels) // 2}/255" if even else f"{epsilon / 2:.3g}"

"""Makes ``docs/mnist.ipynb``, the lesson on MNIST from Python, with what it printed and drew: ``python -m benchmarks.notebook``.

Needs the group of dependencies called notebook: ``uv run --group notebook python -m benchmarks.notebook``.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

GOAL = Path(__file__).resolve().parent.parent / "docs" / "mnist.ipynb"
# Text and code in turn; the lesson itself is in dlcli/assets/lessons.
_TEXT = '''# MNIST from start to end

The lesson `dl learn mnist`, from Python. Each call does what the command of the same name does, leaves a run folder with its
configuration, figures and pictures, and returns them.
%%
import dlcli
from IPython.display import Image


def shown(run, *names):
    """Prints the figures whose names begin so, with their 95 % intervals."""
    for name, figure in run.metrics.items():
        if name.startswith(names):
            bounds = "" if figure["low"] is None else f" [{figure['low']:.4f}, {figure['high']:.4f}]"
            print(f"{name} {figure['value']:.4f}{bounds}")


def picture(run, name):
    return Image(filename=str(run.path / run.files[name]))
%%
## Train

55,000 digits to learn from, 5,000 to choose by, 10,000 to be judged by once. One pass over the data, a step size that grows and
then shrinks to nothing, digits shifted and turned a little as they come.
%%
model = dlcli.train("mnist_fast")
shown(model, "test/accuracy", "test/nll")
picture(model, "curves")
%%
## Evaluate

Accuracy is where judging begins. Which digits are taken for which, and is it right nine times in ten when it says 90 %?
%%
judged = dlcli.evaluate(run=model)
shown(judged, "test/balanced_accuracy", "test/ece", "test/brier")
picture(judged, "mistakes")
%%
## Attack

The gradient of the loss with respect to the pixels says how to change each of them to hurt. Noise of the same size does
much less.
%%
attacked = dlcli.attack("fgsm", "attack.epsilon=0.15", run=model, limit=1000)
shown(attacked, "attack/clean", "attack/noise", "attack/robust")
picture(attacked, "triple")
%%
## Explain

Where the network looks, with a verdict on each map: does hiding its pixels make the class go, sooner than hiding those of
maps that know nothing?
%%
explained = dlcli.explain("gradcam", run=model, limit=8)
shown(explained, "explain/supported", "explain/false")
picture(explained, "overlays")
%%
## Use it

The trained network is a `torch.nn.Module`: images from 0 to 1 in, logits out.
%%
network = dlcli.load(model)
print(network.spec.name, network.spec.shape, network.spec.classes)
print(sum(weight.numel() for weight in network.parameters()), "weights")'''
CELLS = _TEXT.split("\n%%\n")


def made() -> Any:
    """Returns the notebook, executed; its runs go to a folder that is gone afterwards."""
    import nbformat
    from nbclient import NotebookClient

    kinds = (nbformat.v4.new_markdown_cell, nbformat.v4.new_code_cell)
    cells = [kinds[place % 2](text) for place, text in enumerate(CELLS)]
    for place, cell in enumerate(cells):
        cell["id"] = f"cell-{place}"  # the same each time
    book = nbformat.v4.new_notebook(cells=cells)
    with tempfile.TemporaryDirectory() as runs:
        os.environ["DL_RUNS"] = runs
        NotebookClient(book, timeout=600, kernel_name="python3").execute()
    for cell in book.cells:
        cell.metadata.clear()  # the times of execution
        # A progress bar that has gone leaves an empty output.
        if "outputs" in cell:
            cell.outputs = [each for each in cell.outputs if each.get("data", {}).get("text/plain") != ""]
    return book


def main() -> None:
    """Writes the notebook."""
    import nbformat

    GOAL.parent.mkdir(exist_ok=True)
    nbformat.write(made(), GOAL)
    print(f"docs/{GOAL.name} {GOAL.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()

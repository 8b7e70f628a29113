"""The smallest Typer app with three commands."""

from __future__ import annotations

import typer

app = typer.Typer()


@app.command()
def train(epochs: int = typer.Option(3, help="How many.")) -> None:
    """Train."""


@app.command()
def evaluate(run: str = typer.Option("latest", help="Which run.")) -> None:
    """Evaluate."""


@app.command()
def attack(name: str = typer.Argument("fgsm")) -> None:
    """Attack."""


if __name__ == "__main__":
    app()

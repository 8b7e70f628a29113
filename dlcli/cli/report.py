"""``dl report``: one page about a model. No torch."""

from __future__ import annotations

import json
import sys

import typer

_RUN = typer.Argument(None, metavar="RUN", help="A model: latest, a name, the start of an id, a path.", show_default=False)


def report(
    *,
    run: str | None = _RUN,
    reference: str | None = typer.Option(None, "--run", metavar="RUN", help="The same, as other verbs have it."),
    to: str | None = typer.Option(None, "--to", metavar="FILE.html", help="Elsewhere; the Markdown goes beside it."),
    notes: str | None = typer.Option(None, "--notes", metavar="FILE.md", help="What only a person knows; see below."),
    opens: bool = typer.Option(False, "--open", help="Show it in the browser."),
    as_json: bool = typer.Option(False, "--json", help="Print where it lies as JSON."),
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of a failure.", hidden=True),
) -> None:
    """Write one page about a model: what it is, what was measured, and how.

    dl report                       the newest model
    dl report mnist --open          by name; show it
    dl report --to card.html        elsewhere

    It holds what dl evaluate, dl attack and dl explain found, as HTML and
    Markdown. --notes FILE.md fills what only a person knows, under the
    headings Intended use, Out of scope, Factors, Ethical considerations,
    Caveats and recommendations.
    """
    from dlcli.commands.report import report as write
    from dlcli.errors import UsageError
    from dlcli.report.lessons import lesson_about
    from dlcli.report.text import safe
    from dlcli.runs.platform import open_with_desktop

    if run is not None and reference is not None and run != reference:
        raise UsageError(f"'{run}' and --run {reference} are two models; expected one", hint=f"dl report {run}")
    written = write(run if run is not None else reference, to=to, notes=notes)
    for remark in written.remarks:
        sys.stderr.write(f"warning: {safe(remark)}\n")
    if as_json:
        items = [{"html": str(written.html), "markdown": str(written.markdown)}]
        sys.stdout.write(json.dumps({"schema": 1, "verb": "report", "items": items}, indent=1) + "\n")
    else:
        sys.stderr.write(safe(f"report: {written.html} ({written.size / 1e6:.2f} MB)") + "\n")
        sys.stderr.write(safe(f"the same as Markdown: {written.markdown}") + "\n")
        lesson = lesson_about("report", {})
        sys.stderr.write("" if lesson is None else f"next:\n  dl learn {lesson.name}   {lesson.title}\n")
    if opens:
        try:
            open_with_desktop(written.html)
        except OSError as error:  # the report is written: a missing viewer must not make it fail
            sys.stderr.write(safe(f"warning: no browser found ({error.strerror}); the report is {written.html}") + "\n")

import json
import os
import shutil
import subprocess

import pytest
from PIL import Image

# Every line: what is typed, the exit code, and words that the message must hold.
MISTAKES = [
    ("report digist", 2, ["there is no run 'digist'", "did you mean 'digits'?", "dl runs lists them"]),
    ("report builtin:mnist", 2, ["builtin:mnist", "no folder to report on", "dl train mnist"]),
    ("report builtin:minst", 2, ["did you mean 'builtin:mnist'?"]),
    ("report digits --to x.pdf", 2, ["--to x.pdf", "ends in .html", "--to x.html", "print it from a browser"]),
    ("report digits --to x", 2, ["--to x", "ends in .html"]),
    ("report digits --to no/where/x.html", 2, ["there is no folder no/where", "mkdir -p no/where"]),
    ("report digits --notes none.md", 2, ["--notes none.md: there is no such file", "## Intended use"]),
    ("report digits --run flat", 2, ["two models", "dl report digits"]),
    ("report /no/where", 2, ["there is no run folder at '/no/where'"]),
    ("report digits --too x.html", 2, ["no option '--too'", "--to"]),
    ("report digits flat", 2, ["flat"]),
    ("report --to", 2, ["--to needs a value"]),
]


@pytest.mark.parametrize(("typed", "code", "words"), MISTAKES, ids=[typed for typed, *_ in MISTAKES])
def test_a_mistake_gets_one_message_and_leaves_nothing(typed, code, words, *, dl, runs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    answer = dl(*typed.split())
    assert answer.code == code, answer.err
    assert all(word in answer.err for word in words), answer.err
    assert len(answer.errors) <= 3
    assert answer.out == ""
    assert not list(tmp_path.rglob("*.html"))


def test_nothing_to_report_on_says_how_to_make_something(dl):
    answer = dl("report")
    assert answer.code == 2
    assert "no finished run with a model" in answer.err
    assert "dl train mnist" in answer.err


def test_an_unfinished_run_is_named_with_how_it_goes_on(dl, runs):
    folder = next(runs.glob("train/flat/2*"))
    (folder / "result.json").unlink()
    answer = dl("report", folder.name)
    assert answer.code == 2
    assert f"run {folder.name} is interrupted; expected a finished one" in answer.err
    assert f"dl train --resume {folder.name}" in answer.err


@pytest.mark.parametrize("content", ["", "{", '{"schema": 2}', "[]"])
def test_a_broken_run_folder_is_a_data_error(content, dl, runs):
    folder = next(runs.glob("train/flat/2*"))
    (folder / "result.json").write_text(content)
    answer = dl("report", folder.name)
    assert answer.code == 65
    assert "is not a readable run" in answer.err
    assert len(answer.errors) <= 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_a_storage_error(dl, runs, tmp_path):
    folder = tmp_path / "shut"
    folder.mkdir(mode=0o500)
    assert dl("report", "digits", "--to", str(folder / "x.html")).code == 74


def test_a_disk_that_cannot_be_written_is_a_storage_error(dl, runs, tmp_path, monkeypatch):
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    answer = dl("report", "digits", "--to", str(tmp_path / "x.html"))
    assert answer.code == 74
    assert not (tmp_path / "x.html").exists()


def test_people_read_where_it_lies_and_programs_read_json(dl, runs):
    answer = dl("report", "digits")
    assert answer.out == ""
    *lines, lesson = answer.err.splitlines()
    assert [line.split(":")[0] for line in lines] == ["report", "the same as Markdown", "next"]
    assert lesson.split()[:3] == ["dl", "learn", "ethics"]
    content = json.loads(dl("report", "digits", "--json").out)
    assert list(content) == ["schema", "verb", "items"]
    assert [set(item) for item in content["items"]] == [{"html", "markdown"}]
    assert content["items"][0]["html"].endswith("report.html")


def test_open_shows_the_page_and_a_missing_browser_is_no_failure(dl, runs, monkeypatch):
    shown = []
    monkeypatch.setattr("dlcli.runs.platform.open_with_desktop", shown.append)
    assert dl("report", "digits", "--open").code == 0
    assert [path.name for path in shown] == ["report.html"]
    monkeypatch.setattr("dlcli.runs.platform.open_with_desktop", lambda _: (_ for _ in ()).throw(OSError(2, "no such program")))
    answer = dl("report", "digits", "--open")
    assert answer.code == 0
    assert "no browser found" in answer.err


def test_torch_is_not_loaded(python, runs):
    code = "import sys; from dlcli.cli.answer import exit_code_of\n"
    code += "code = exit_code_of(['report', 'digits']); print(code, 'torch' in sys.modules)"
    assert python(code).out.split() == ["0", "False"]


BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)


def browse(folder, *arguments):
    """Opens a page in a headless browser with a profile of its own; returns (standard output, what its console said)."""
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--allow-file-access-from-files"]
    done = subprocess.run(
        [BROWSER, *flags, f"--user-data-dir={folder / 'profile'}", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
        env={**os.environ, "HOME": str(folder)},
    )
    return done.stdout, done.stderr


@pytest.mark.skipif(BROWSER is None, reason="no chromium or chrome to look at a page with")
def test_a_browser_applies_the_sheet_and_the_policy_stops_a_foreign_script(dl, runs, tmp_path):
    page, shot = tmp_path / "page.html", tmp_path / "shot.png"
    assert dl("report", "digits", "--to", str(page)).code == 0
    _, console = browse(tmp_path, "--window-size=500,900", f"--screenshot={shot}", page.as_uri())
    assert "Content Security Policy" not in console
    assert shot.is_file(), console[-2000:]
    with Image.open(shot) as picture:
        colours = {colour for _, colour in picture.convert("RGB").getcolors(1 << 24)}
    assert (0x0B, 0x5C, 0xAD) in colours  # the links' own colour
    page.write_text(page.read_text().replace("<main>", "<main><script>document.title='owned'</script>"))
    content, console = browse(tmp_path, "--dump-dom", page.as_uri())
    assert "Content Security Policy" in console
    assert "<title>owned" not in content


@pytest.mark.skipif(BROWSER is None, reason="no chromium or chrome to look at a page with")
def test_on_a_phone_the_page_does_not_scroll_sideways(dl, runs, tmp_path):
    assert dl("evaluate", "--run", "digits", "--quiet").code == 0
    assert dl("report", "digits", "--to", str(tmp_path / "page.html")).code == 0
    root = "const root = document.querySelector('iframe').contentDocument.documentElement"
    measure = f"{root}; document.title = `${{root.scrollWidth - root.clientWidth}} too wide`"
    frame = '<iframe src="page.html" style="width:360px;height:800px;border:0" onload="measure()"></iframe>'
    outer = tmp_path / "phone.html"
    outer.write_text(f"<!doctype html><script>function measure() {{ {measure} }}</script>{frame}")
    content, console = browse(tmp_path, "--dump-dom", outer.as_uri())
    assert "<title>0 too wide</title>" in content, console[-2000:]

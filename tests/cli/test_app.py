import pytest
from PIL import Image

from dlcli.cli.app import app, verb_names

HEAVY = ("torch", "torchvision", "hydra", "omegaconf", "numpy", "pandas", "sklearn", "matplotlib")
LOADED = f"import sys; print('loaded:', sorted(set({HEAVY!r}) & set(sys.modules)))"
RUN = "import sys; from dlcli.cli.answer import exit_code_of; code = exit_code_of(sys.argv[1:]);" + LOADED


def test_every_command_is_registered_under_its_name():
    assert verb_names() == [
        "train",
        "evaluate",
        "finetune",
        "attack",
        "explain",
        "predict",
        "learn",
        "report",
        "runs",
        "data",
        "fetch",
        "list",
        "doctor",
    ]


def test_dl_alone_shows_the_help_and_ends_well(dl):
    alone, asked = dl(), dl("--help")
    assert alone.code == asked.code == 0
    assert alone.out.strip() == asked.out.strip()


def test_help_shows_examples_first_and_every_command(dl):
    page = dl("--help").out
    assert page.index("dl train mnist") < page.index("Options")
    assert [name for name in verb_names() if name not in page] == []


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize(
    "verb",
    ["", "train", "evaluate", "finetune", "attack", "explain", "predict", "report", "runs", "data", "fetch", "list", "doctor"],
)
def test_a_help_page_fits_the_terminal_and_cuts_no_flag(verb, width, dl, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    answer = dl(*([verb] if verb else []), "--help")
    assert answer.code == 0
    assert max(map(len, answer.out.splitlines())) <= width
    command = next((command for command in app.registered_commands if verb and command.name == verb), None)
    assert command is None or "--help" in answer.out
    assert "--…" not in answer.out


@pytest.mark.parametrize("verb", ["train", "evaluate", "finetune", "attack", "explain"])
def test_every_example_on_a_help_page_is_a_right_command(verb, dl, runs, tmp_path):
    for place in ("cats/1.png", "cats/2.png", "dogs/1.png", "dogs/2.png"):
        (tmp_path / "DIR" / place).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 32)).save(tmp_path / "DIR" / place)
    page = dl(verb, "--help").out
    examples = [line.split("   ")[0].split() for line in page.splitlines() if line.strip().startswith(f"dl {verb}")]
    assert examples
    for words in examples:
        typed = [word.replace("DIR", str(tmp_path / "DIR")) for word in words[1:] if word not in {"--resume", "--json"}]
        if "-m" in typed or "--seeds" in typed:
            typed = [word.split(",")[0] for word in typed if word not in {"-m", "--seeds", "5"}]
        assert dl(*typed, "--cfg", "job").code == 0, words


def test_the_version_is_the_installed_one(dl):
    from importlib.metadata import version

    assert dl("--version").out == f"dlcli {version('dlcli')}\n"


@pytest.mark.parametrize(
    "typed",
    ["--help", "", "--version", "train --help", "list models", "list data --json", "runs", "trian", "train mnits", "train a b"],
)
def test_what_needs_no_torch_loads_nothing_heavy(typed, python):
    answer = python(RUN, *typed.split())
    assert answer.out.splitlines()[-1] == "loaded: []", answer.err


@pytest.mark.parametrize(
    "typed", ["train mnist --cfg job", "train --info defaults-tree", "train optimizer.lrr=1", "evaluate limit=0 x=1"]
)
def test_what_only_composes_never_loads_torch(typed, python):
    answer = python(RUN, *typed.split())
    loaded = answer.out.splitlines()[-1]
    assert "'hydra', 'omegaconf'" in loaded
    assert "'torch'" not in loaded
    assert "numpy" not in loaded


def test_training_loads_only_what_it_uses(python, tmp_path):
    never = {"torch._dynamo", "torchvision", "pandas", "sklearn", "captum", "timm", "scipy"}
    code = (
        "import sys; from torch.optim.optimizer import register_optimizer_step_post_hook as hook\n"
        f"def loaded(): return sorted(({never!r} | {{'matplotlib'}}) & set(sys.modules))\n"
        "hook(lambda *_: steps.append(loaded())); steps = []\n"
        "from dlcli.cli.answer import exit_code_of; code = exit_code_of(sys.argv[1:]); print(code, steps, loaded())"
    )
    answer = python(code, "train", "mnist", "--fast-dev-run", "--quiet")
    assert answer.out == "0 [[], []] ['matplotlib']\n", answer.err  # pictures are drawn after the last step

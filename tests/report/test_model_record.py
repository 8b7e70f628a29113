from dlcli.report.model_record import data, lineage, repeat, training
from dlcli.report.page import Code, Facts, Items, Picture


def facts(section):
    return dict(row for block in section.blocks if isinstance(block, Facts) for row in block.rows)


def test_sizes_and_notes_are_those_that_training_recorded(make_dossier, make_run):
    model = make_run(information={"data": {"sizes": {"train": 1030, "test": 220}, "notes": ["the employees are fictional"]}})
    section = data(make_dossier(model=model))
    assert facts(section)["Examples"] == "1 030 train, 220 test"
    assert Items(("the employees are fictional",)) in section.blocks
    assert facts(section)["Digest"].startswith("abc ")


def test_an_older_run_without_sizes_has_those_of_its_figures(make_dossier):
    assert facts(data(make_dossier()))["Examples of test"] == "100"


def test_the_parts_of_the_training_are_named_with_what_they_were_given(make_dossier, make_run, shot):
    config = {"optimizer": {"_target_": "torch.optim.SGD", "lr": 0.1, "foreach": None}, "trainer": {"epochs": 3}, "seed": 7}
    model = make_run(config=config, information={"parameters": 18730}, shots={"curves": shot})
    section = training(make_dossier(model=model))
    shown = facts(section)
    assert (shown["optimizer"], shown["epochs"], shown["seed"], shown["parameters"]) == ("SGD (lr 0.1)", "3", "7", "18 730")
    assert any(isinstance(block, Picture) and "Loss" in block.alt for block in section.blocks)


def test_a_finetuned_network_is_named_from_its_checkpoint(make_dossier):
    state = {"model": {"_target_": "a.b.Net", "widths": [4, 2]}}
    assert facts(training(make_dossier(state=state)))["model"] == "Net (widths [4, 2])"


def test_what_a_finetuned_network_started_from_is_said(make_dossier, make_run):
    start = {
        "backbone": "resnet18",
        "weights": "IMAGENET1K_V1",
        "sha256": "ab",
        "replaced": "net.net.fc",
        "trained": "trained: all",
    }
    shown = facts(training(make_dossier(model=make_run("finetune", information={"origin": start}))))
    assert (shown["backbone"], shown["its weights"]) == ("resnet18", "IMAGENET1K_V1")
    assert (shown["replaced head"], shown["what was trained"]) == ("net.net.fc", "all")


def test_the_lineage_goes_from_the_oldest_to_what_came_after(make_dossier, make_run):
    dossier = make_dossier(
        missing_parent="builtin:mnist",
        parents=(make_run("finetune", id="2"), make_run("train", id="1")),
        measured=(make_run("attack", id="5"), make_run("evaluate", id="4")),
        descendants=(("finetune", "other", "6"),),
    )
    (table,) = lineage(dossier).blocks
    assert [row[0] for row in table.rows] == ["its origin"] + ["goes on from"] * 2 + ["this model"] + ["measured by"] * 2 + [
        "continued by"
    ]
    assert [row[1].split()[-1] for row in table.rows[1:3]] == ["1", "2"]


def test_the_commands_of_the_whole_chain_stand_in_their_order_one_a_line(make_dossier, make_run):
    parent = make_run("train", id="1", information={"command": "dl train mnist"})
    model = make_run("finetune", id="2", information={"command": "dl finetune\n--data digits"})
    section = repeat(make_dossier(model=model, parents=(parent,), measured=(make_run("evaluate", id="3"),)))
    (code,) = [block for block in section.parts[0].blocks if isinstance(block, Code)]
    assert code.text == "dl train mnist\ndl finetune --data digits\ndl evaluate thing"


def test_environment_and_configuration_are_shown_and_a_huge_one_is_cut(make_dossier, make_run):
    model = make_run(information={"versions": {"torch": "2.15.0"}, "threads": 2}, config_text="a: 1\n" * 10_000)
    _, environment, configuration = repeat(make_dossier(model=model)).parts
    assert {("torch", "2.15.0"), ("threads", "2")} <= set(environment.blocks[0].rows)
    assert len(configuration.blocks[0].text) < 13_000
    assert configuration.blocks[0].text.endswith("…")


def test_garbled_records_are_shown_as_unknown(make_dossier, make_run):
    model = make_run(
        information={"versions": 3, "data": [], "environment": None}, config={"trainer": 1, "model": "x"}, config_text=""
    )
    dossier = make_dossier(model=model, state={"spec": {"shape": "x", "columns": [1], "kind": "table"}})
    for section in (data, training, lineage, repeat):
        assert section(dossier).title


def test_an_empty_shape_is_not_shown(make_dossier):
    for kind in ("table", "image"):
        section = data(make_dossier(state={"spec": {"shape": [], "kind": kind}}))
        assert "An example" not in facts(section)

from dlcli.data.attrition import Attrition
from dlcli.data.handwriting import Handwriting
from dlcli.data.ingest import ingest_of
from dlcli.data.mnist import MNIST
from dlcli.data.mnist_pair import MNISTPair


def test_a_sets_own_step_is_found_on_its_class():
    assert isinstance(ingest_of(MNIST), Handwriting)
    assert ingest_of(MNISTPair) is ingest_of(MNISTPair)


def test_a_set_without_a_step_has_none():
    assert ingest_of(Attrition) is None


def test_a_step_of_ones_own_needs_no_edit_elsewhere():
    class Mine:
        ingest = Handwriting(side=8, box=8, centre="box")

    assert ingest_of(Mine) is Mine.ingest

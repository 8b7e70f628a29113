import math

import pytest
import torch
from torch import nn

from dlcli.classifier import Classifier
from dlcli.contracts import Column, DataSpec
from dlcli.models.mlp import MLP
from dlcli.models.table_encoder import TableEncoder, embedding_width
from dlcli.optim.groups import parameter_groups

COLUMNS = (
    Column(name="k", categories=("u", "v", "w")),
    Column(name="n"),
    Column(name="l", categories=tuple("abcdefghij")),
    Column(name="m"),
)
SPEC = DataSpec(
    name="t", shape=(4,), classes=("a", "b"), mean=(0.0,) * 4, std=(1.0,) * 4, kind="table", epsilon={}, columns=COLUMNS
)
ROWS = torch.tensor([[1, 0.5, 10, -1], [2, 0.1, 1, 2], [0, 0.0, 0, 0], [3, 9.0, 5, 7]])


def test_numbers_pass_unchanged_and_every_column_has_its_slice():
    for embedding in ("embedding", "one_hot"):
        encoder = TableEncoder(COLUMNS, embedding=embedding)
        features = encoder(ROWS)
        assert features.shape == (4, encoder.features)
        assert torch.equal(features[:, encoder.column_slices[1]], ROWS[:, 1:2])
        assert torch.equal(features[:, encoder.column_slices[3]], ROWS[:, 3:4])
        places = sorted(place for piece in encoder.column_slices for place in range(piece.start, piece.stop))
        assert places == list(range(encoder.features))


def test_one_hot_features_are_those_of_torch_and_zero_for_an_unknown():
    encoder = TableEncoder(COLUMNS, embedding="one_hot")
    expected = nn.functional.one_hot(ROWS[:, 2].long(), 11)[:, 1:].float()
    assert torch.equal(encoder(ROWS)[:, encoder.column_slices[2]], expected)
    assert list(encoder.parameters()) == []


def test_equal_codes_give_equal_vectors_and_others_others():
    encoder = TableEncoder(COLUMNS)
    vectors = encoder(torch.tensor([[code, 0, 1, 0] for code in (1.0, 2.0, 3.0, 1.0)]))[:, encoder.column_slices[0]]
    assert torch.equal(vectors[0], vectors[3])
    assert len(torch.unique(vectors, dim=0)) == 3
    assert vectors.abs().max() <= 1 / math.sqrt(embedding_width(3))


def test_each_code_of_each_column_has_a_vector_of_its_own():
    encoder = TableEncoder(COLUMNS)
    widths = [piece.stop - piece.start for piece in encoder.column_slices]
    assert encoder.weight.numel() == (3 + 1) * widths[0] + (10 + 1) * widths[2]
    encoder.weight.data = torch.arange(encoder.weight.numel(), dtype=torch.float32)[:, None]
    every = torch.cartesian_prod(torch.arange(4.0), torch.zeros(1), torch.arange(11.0), torch.zeros(1))
    used = encoder(every)[:, 2:]
    assert used.unique().tolist() == list(range(encoder.weight.numel()))


def test_an_unknown_category_starts_as_zeros_and_so_does_a_code_beyond_the_last():
    encoder = TableEncoder(COLUMNS)
    features = encoder(torch.tensor([[0.0, 1, 0, 1], [4.0, 1, 11, 1], [-1.0, 1, 99, 1]]))
    assert not features[:, 2:].any()


def test_an_unknown_categorys_vector_is_learned_where_train_has_such_rows():
    encoder = TableEncoder(COLUMNS)
    encoder(torch.tensor([[0.0, 1, 2, 1]])).sum().backward()
    width = embedding_width(3)
    assert (encoder.weight.grad[:width] == 1).all()
    assert not encoder.weight.grad[width : 4 * width].any()


@pytest.mark.parametrize(("categories", "width"), [(1, 2), (2, 2), (9, 5), (50, 14), (100, 16), (10_000, 16)])
def test_the_width_of_a_vector_follows_the_number_of_categories(categories, width):
    assert embedding_width(categories) == width


def test_dropout_spares_numbers_and_acts_in_training_only():
    encoder = TableEncoder(COLUMNS, embedding="one_hot", dropout=0.9)
    assert torch.equal(encoder(ROWS)[:, :2], ROWS[:, [1, 3]])
    assert not torch.equal(encoder(ROWS.repeat(20, 1)), encoder.eval()(ROWS.repeat(20, 1)))


def test_a_table_of_numbers_passes_as_it_is():
    encoder = TableEncoder([Column(name="a"), Column(name="b")])
    rows = torch.randn(3, 2)
    assert encoder(rows) is rows
    assert encoder.column_slices == (slice(0, 1), slice(1, 2))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"embedding": "onehot"}, "embedding must be embedding or one_hot"),
        ({"dropout": 1.0}, r"embedding_dropout must be in \[0, 1\)"),
    ],
)
def test_a_value_out_of_range_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        TableEncoder(COLUMNS, **options)


def test_without_hidden_layers_and_one_hot_an_mlp_is_logistic_regression():
    net = MLP(spec=SPEC, widths=[], outputs=1, embedding="one_hot")
    assert net.head.in_features == 2 + 3 + 10
    row = torch.tensor([[2.0, 0.5, 0.0, -1.0]])
    expected = net.head.weight[0, 0] * 0.5 - net.head.weight[0, 1] + net.head.weight[0, 3] + net.head.bias
    assert torch.allclose(net(row)[0], expected)


def test_a_classifier_reads_missing_values_as_the_mean_and_the_unknown():
    model = Classifier(SPEC, MLP(spec=SPEC, widths=[4])).eval()
    missing, plain = torch.tensor([[math.nan] * 4]), torch.zeros(1, 4)
    assert torch.equal(model(missing), model(plain))


def test_gradients_reach_the_numbers_and_leave_codes_alone():
    rows = ROWS.clone().requires_grad_()
    MLP(spec=SPEC, widths=[8])(rows)[:, 0].sum().backward()
    assert rows.grad[:, [1, 3]].any()
    assert not rows.grad[:, [0, 2]].any()


def test_gradients_are_the_same_bits_each_time_on_two_threads():
    encoder, rows = TableEncoder(COLUMNS), ROWS.repeat(2000, 1)
    weights = torch.randn(len(rows), encoder.features, generator=torch.Generator().manual_seed(0))
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        gradients = [torch.autograd.grad((encoder(rows) * weights).sum(), encoder.weight)[0] for _ in range(8)]
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(gradients[0], other) for other in gradients)


def test_both_ways_to_look_vectors_up_agree():
    encoder = TableEncoder(COLUMNS)
    places = torch.tensor([[0, 3], [5, 1]])
    assert torch.equal(encoder._look_up(places), nn.functional.embedding(places, encoder.weight).squeeze(2))


def test_an_mlp_learns_what_only_a_category_tells():
    torch.manual_seed(0)
    net = MLP(spec=SPEC, widths=[8], outputs=1)
    rows = torch.stack([torch.arange(60) % 3 + 1, torch.zeros(60), torch.arange(60) % 10 + 1, torch.zeros(60)], dim=1).float()
    targets = (rows[:, 0] == 2).float()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.05)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.binary_cross_entropy_with_logits(net(rows)[:, 0], targets).backward()
        optimizer.step()
    assert torch.equal(net(rows)[:, 0] > 0, targets.bool())


def test_weight_decay_pulls_the_vectors_of_categories_as_it_pulls_matrices():
    (decayed, *_) = parameter_groups(MLP(spec=SPEC))
    assert "encoder.weight" in [name for name, _ in decayed["params"]]

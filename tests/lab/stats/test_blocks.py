import numpy as np

from anglewise.lab.stats.blocks import block_order


def test_neurons_stand_by_frequency_then_by_share_and_dead_ones_last():
    shares = np.array([[0.2, 0.7, 0.0], [np.nan] * 3, [0.9, 0.0, 0.1], [0.0, 0.9, 0.0], [0.6, 0.1, 0.1]])
    assert block_order(shares).tolist() == [2, 4, 3, 0, 1]


def test_the_order_undoes_any_permutation_of_neurons():
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.full(6, 0.2), size=40)
    mixed = rng.permutation(40)
    np.testing.assert_array_equal(shares[block_order(shares)], shares[mixed][block_order(shares[mixed])])


def test_a_map_without_neurons_has_an_empty_order():
    assert block_order(np.zeros((0, 3))).tolist() == []

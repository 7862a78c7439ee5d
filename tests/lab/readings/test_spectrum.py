import jax
import jax.numpy as jnp
import numpy as np
import pytest

from anglewise import effective_rank, stable_rank
from anglewise.lab.models.mlp import MLP
from anglewise.lab.protocols.reading import named_matrices, named_parameters
from anglewise.lab.readings.spectrum import Spectrum, WeightNorms, WeightSpectrum, ranks, singular_values
from tests.support.programs import quick_jit
from tests.support.readings import CASES, PAIRS, looking, read, replaced

rng = np.random.default_rng(0)


def entropy_rank(sigma):
    """The slow way."""
    q = [s / sum(sigma) for s in sigma if s > 0]
    return np.exp(-sum(x * np.log(x) for x in q))


@pytest.fixture(scope="module", params=CASES)
def seen(request):
    """What the three readings find in float64, beside activations and weights."""
    model, task = CASES[request.param]
    with jax.enable_x64(True):
        at, params = looking(model, task)

        def everything(params):
            snapshot, found = at(params), {}
            for reading in (Spectrum(rows=7), WeightNorms(), WeightSpectrum()):
                found |= reading.measure(snapshot)
            return found, snapshot.forward("train", 7).activations

        found, activations = jax.tree.map(np.asarray, quick_jit(everything)(params))
    return found, {site: activations[site] for site in model.sites}, params


def test_spectra_of_activations_equal_the_obvious_ones(seen):
    found, activations, _ = seen
    for site, h in activations.items():
        a = h.reshape(-1, h.shape[-1])
        sigma = np.linalg.svd(a, compute_uv=False)
        centred = np.linalg.svd(a - a.mean(axis=0), compute_uv=False)
        np.testing.assert_allclose(found[site, "singular_values"], sigma, rtol=1e-9, atol=1e-12 * sigma[0])
        assert found[site, "sigma_max"] == pytest.approx(sigma[0], rel=1e-10)
        assert found[site, "stable_rank"] == pytest.approx((a**2).sum() / sigma[0] ** 2, rel=1e-10)
        assert found[site, "stable_rank"] == pytest.approx(float(stable_rank(a)), rel=1e-10)
        assert found[site, "effective_rank"] == pytest.approx(entropy_rank(sigma), rel=1e-9)
        assert found[site, "effective_rank"] == pytest.approx(float(effective_rank(a)), rel=1e-9)
        assert found[site, "effective_rank_centred"] == pytest.approx(entropy_rank(centred), rel=1e-9)
        assert found[site, "effective_rank_centred"] != pytest.approx(entropy_rank(sigma), rel=1e-3)  # control
        assert found[site, "rank_ceiling"] == min(a.shape) >= found[site, "effective_rank"]


def test_spectra_of_weights_equal_the_obvious_ones_and_vectors_have_norms_alone(seen):
    found, _, params = seen
    matrices, total = named_matrices(params), 0.0
    for name, w in matrices.items():
        sigma = np.linalg.svd(np.asarray(w), compute_uv=False)
        np.testing.assert_allclose(found[name, "weight_singular_values"], sigma, rtol=1e-9)
        assert found[name, "weight_sigma_max"] == pytest.approx(sigma[0], rel=1e-10)
        assert found[name, "weight_effective_rank"] == pytest.approx(entropy_rank(sigma), rel=1e-9)
        assert found[name, "weight_stable_rank"] == pytest.approx((sigma**2).sum() / sigma[0] ** 2, rel=1e-10)
        assert found[name, "weight_norm"] == pytest.approx(np.sqrt((np.asarray(w) ** 2).sum()), rel=1e-10)
    for name, w in named_parameters(params).items():
        total += (np.asarray(w) ** 2).sum()
        if w.ndim < 2:
            assert found[name, "weight_norm"] == pytest.approx(np.linalg.norm(w), rel=1e-10)
            assert (name, "weight_sigma_max") not in found
    assert found["", "weight_norm"] == pytest.approx(np.sqrt(total), rel=1e-10)


def test_readings_of_a_batch_of_networks_are_those_of_each():
    at, params = looking(*CASES["mlp"])

    def everything(params):
        snapshot = at(params)
        return {**Spectrum().measure(snapshot), **WeightNorms().measure(snapshot), **WeightSpectrum().measure(snapshot)}

    both = [params, jax.tree.map(lambda w: 2 * w[::-1], params)]
    together = quick_jit(jax.vmap(everything))(jax.tree.map(lambda *w: jnp.stack(w), *both))
    alone = quick_jit(everything)
    for k, params in enumerate(both):
        for key, value in alone(params).items():
            np.testing.assert_allclose(together[key][k], value, rtol=2e-4, atol=2e-5, err_msg=str(key))


def test_first_layer_of_a_2_hot_network_without_bias_has_rank_2p_minus_1_however_wide():
    found = read(Spectrum(rows=0), MLP(hidden=(20, 20)), PAIRS)
    sigma = found["hidden.0.pre", "singular_values"]
    assert found["hidden.0.pre", "rank_ceiling"] == 12 == len(sigma)  # 12 training pairs
    assert (sigma[9:] < 1e-5 * sigma[0]).all() and sigma[8] > 1e-3 * sigma[0]
    assert found["hidden.1.pre", "singular_values"][9] > 1e-3 * sigma[0]  # control: the next layer is not so bound


@pytest.mark.parametrize(("n", "d"), [(60, 20), (20, 60)])
def test_an_orthogonal_matrix_has_full_rank_and_a_dyad_has_rank_1(n, d):
    full, dyad = np.eye(n, d), np.outer(np.arange(1, n + 1), np.arange(1, d + 1))
    for a, rank in ((full, 20.0), (dyad, 1.0)):
        sigma, _ = singular_values(jnp.asarray(a, jnp.float32))
        assert sigma.shape == (20,)
        np.testing.assert_allclose(ranks(sigma), rank, rtol=1e-4)
    np.testing.assert_array_equal(ranks(jnp.zeros(5)), 0)


def test_rotating_the_activations_and_reordering_samples_and_neurons_change_no_singular_value():
    a = rng.normal(size=(50, 12)) + 1
    rotation, _ = np.linalg.qr(rng.normal(size=(12, 12)))
    with jax.enable_x64(True):
        whole, centred = singular_values(jnp.asarray(a))
        for b in (a @ rotation, rng.permutation(a), rng.permutation(a, axis=1)):
            for old, new in zip((whole, centred), singular_values(jnp.asarray(b)), strict=True):
                np.testing.assert_allclose(new, old, rtol=1e-9)


def test_a_common_mean_lowers_the_effective_rank_and_not_the_centred_one():
    a = jnp.asarray(rng.normal(size=(200, 30)), jnp.float32)
    (whole, centred), (shifted, still) = singular_values(a), singular_values(a + 100)
    np.testing.assert_allclose(still, centred, rtol=1e-4)
    assert float(ranks(shifted)[0]) < 10 < 28 < float(ranks(whole)[0])


def test_the_stable_rank_of_gaussian_rows_is_far_below_the_ceiling():
    # (n d) / (sqrt n + sqrt d)^2: 88 for 256 rows of width 512, where the paper's tables say 443
    sigma, _ = singular_values(jnp.asarray(rng.normal(size=(256, 512)), jnp.float32))
    effective, stable = ranks(sigma)
    assert float(stable) == pytest.approx(256 * 512 / (16 + 512**0.5) ** 2, rel=0.05)
    assert 200 < float(effective) < 256


def test_small_singular_values_survive_float32_as_those_of_the_gram_matrix_do_not():
    u, v = (np.linalg.qr(rng.normal(size=(m, 20)))[0] for m in (100, 20))
    sigma = np.logspace(0, -5, 20)
    a = jnp.asarray((u * sigma) @ v.T, jnp.float32)
    np.testing.assert_allclose(singular_values(a)[0], sigma, rtol=0.05)
    gram = np.sqrt(np.maximum(np.linalg.eigvalsh(np.asarray(a.T @ a)), 0))[::-1]
    assert (np.abs(gram / sigma - 1)[-5:] > 0.05).all()  # control


def test_an_embedding_of_several_tables_is_read_table_by_table():
    found = read(WeightNorms(), MLP(hidden=(6,), embedding=4, shared=False), PAIRS)
    assert {site for site, _ in found} == {"embedding.0", "embedding.1", "layers.0.weight", "head.weight", ""}


def test_a_matrix_of_zeros_has_rank_0_and_norm_0():
    at, params = looking(MLP(hidden=(6,)), PAIRS)
    params = replaced(params, lambda p: p.head.weight, 0 * params.head.weight)
    found = quick_jit(lambda p: {**WeightSpectrum().measure(at(p)), **WeightNorms().measure(at(p))})(params)
    for name in ("weight_effective_rank", "weight_stable_rank", "weight_sigma_max", "weight_norm"):
        assert found["head.weight", name] == 0

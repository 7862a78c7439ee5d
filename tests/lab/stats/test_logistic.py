import numpy as np
import pytest
from scipy import optimize

from anglewise.lab.stats.logistic import CUT, fit


def problem(n=300, k=3, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, k)) * [1.0, 10.0, 0.1] + [0.0, 5.0, -1.0]
    y = rng.random(n) < 1 / (1 + np.exp(-(x[:, 0] - 0.1 * (x[:, 1] - 5) + 0.8)))
    return x, y


def reference(x, y, ridge, new):
    z, fresh = ((np.clip((a - x.mean(0)) / x.std(0), -CUT, CUT)) for a in (x, new))
    w = np.where(y, 0.5 / y.sum(), 0.5 / (~y).sum())

    def loss(b):
        return w @ np.logaddexp(0, -np.where(y, 1, -1) * (z @ b[:-1] + b[-1])) + ridge / 2 * b[:-1] @ b[:-1]

    b = optimize.minimize(loss, np.zeros(4), method="BFGS", options={"gtol": 1e-9}).x
    return 1 / (1 + np.exp(-(fresh @ b[:-1] + b[-1])))


@pytest.mark.parametrize("ridge", [1e-3, 0.01, 1.0])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_it_finds_the_minimum(ridge):
    x, y = problem()
    new = problem(seed=1)[0]
    np.testing.assert_allclose(fit(x, y, ridge)(new), reference(x, y, ridge, new), atol=1e-5)


def test_scale_and_origin_of_a_feature_do_not_matter():
    x, y = problem()
    np.testing.assert_allclose(fit(x, y)(x), fit(x * [3, 0.01, 1e4] + 7, y)(x * [3, 0.01, 1e4] + 7), atol=1e-6)


def test_what_learns_nothing_says_one_half_however_rare_the_class():
    x, y = np.zeros((50, 2)), np.arange(50) < 3
    np.testing.assert_allclose(fit(x, y)(np.ones((4, 2))), 0.5)


def test_one_class_alone_says_one_half():
    assert fit(np.ones((3, 1)), np.ones(3, bool))(np.array([[0.0], [np.nan]])).tolist()[0] == 0.5


def test_a_missing_feature_gives_no_probability_and_is_not_fitted_on():
    x, y = problem()
    holed = np.vstack([x, [[np.nan, 0, 0]]])
    model = fit(holed, np.append(y, True))
    np.testing.assert_allclose(model(x), fit(x, y)(x))
    assert np.isnan(model(holed)[-1])
    assert np.isnan(fit(x[:2], np.ones(2, bool))(holed)[-1])


def test_separable_classes_stay_finite():
    x = np.r_[-np.ones(5), np.ones(5)][:, None]
    said = fit(x, x[:, 0] > 0)(x)
    assert np.isfinite(said).all() and (said[:5] < 0.5).all() and (said[5:] > 0.5).all()


def test_a_value_far_outside_weighs_no_more_than_the_cut():
    x, y = problem()
    model, far = fit(x, y), x[:1].copy()
    far[0, 0] = 1e9
    near = far.copy()
    near[0, 0] = x[:, 0].mean() + CUT * x[:, 0].std()
    np.testing.assert_allclose(model(far), model(near))

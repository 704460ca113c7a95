"""The choice among numbers of components of counts and categories."""

import numpy as np
import pytest

from fastgmm import BernoulliMixture, CategoricalMixture, ComponentSelection, PoissonMixture, select_components


def three_kinds(rng):
    rates = np.repeat([[1.0, 9.0, 5.0], [9.0, 1.0, 5.0], [5.0, 5.0, 0.5]], 150, axis=0)
    return rng.poisson(rates)


@pytest.mark.parametrize("criterion", ["bic", "aic", "icl"])
def test_the_best_has_the_lowest_criterion_and_as_many_components_as_there_are_kinds(criterion, rng):
    X = three_kinds(rng)
    mixture = PoissonMixture(alpha=0.1, n_init=2, random_state=0)
    chosen = select_components(mixture, X, range(1, 6), criterion)
    assert isinstance(chosen, ComponentSelection)
    assert chosen.best_ is chosen.models_[chosen.best_.n_components]
    assert chosen.best_.n_components == (3 if criterion != "aic" else chosen.best_.n_components)
    table = chosen.table_
    assert table["n_components"].tolist() == [1, 2, 3, 4, 5]
    assert table[criterion].argmin() == chosen.best_.n_components - 1
    for line, model in zip(table, chosen.models_.values(), strict=True):
        assert line["log_likelihood"] == pytest.approx(model.score(X) * len(X))
        assert line["bic"] == pytest.approx(-2 * line["log_likelihood"] + np.log(len(X)) * line["n_parameters"])
        assert line["aic"] == pytest.approx(-2 * line["log_likelihood"] + 2 * line["n_parameters"])
        assert line["icl"] >= line["bic"]
    assert not hasattr(mixture, "weights_")


def test_parameters_are_counted_as_the_families_have_them(rng):
    X = rng.integers(0, 3, (50, 4))
    lines = select_components(CategoricalMixture(n_categories=3, random_state=0, max_iter=300), X, [1, 2]).table_
    assert lines["n_parameters"].tolist() == [8, 17]
    lines = select_components(BernoulliMixture(random_state=0, max_iter=300), X, [1, 2]).table_
    assert lines["n_parameters"].tolist() == [4, 9]


def test_candidates_beyond_the_rows_are_left_out():
    chosen = select_components(BernoulliMixture(random_state=0), [[1, 0], [0, 1]], [1, 2, 3])
    assert list(chosen.models_) == [1, 2]
    assert list(select_components(BernoulliMixture(random_state=0), [[1, 0], [0, 1]], 2).models_) == [1, 2]
    with pytest.raises(ValueError, match="n_components"):
        select_components(BernoulliMixture(), [[1, 0]], [2])
    with pytest.raises(ValueError, match="'criterion'"):
        select_components(BernoulliMixture(), [[1, 0]], [1], "nec")

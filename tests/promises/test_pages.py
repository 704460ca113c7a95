"""What the README and the pages show runs, from top to bottom, and they say what is found."""

import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastgmm
from fastgmm.data.datasets import OLD_FAITHFUL_COLUMNS, load_old_faithful
from fastgmm.data.table import Table
from tests.promises.pages import PAGES, README, blocks, needed_libraries, run_commands, run_python, text_of

Names = dict[str, Any]

# The server on this page runs in `test_service.py`, in processes of its own.
WITH_PYTHON = [page for page in PAGES if blocks(page, "python") and page != "service.md"]


def rows_of_table(text: str) -> dict[str, list[float]]:
    """The numbers of each row of a page's tables, by what it begins with."""
    rows = re.findall(r"^\| (\w[^|]*) \|(.*)\|$", text, flags=re.MULTILINE)
    return {name: [float(number) for number in re.findall(r"-?\d+\.\d+", cells)] for name, cells in rows}


def without_types(warning: str) -> str:
    """Libraries call their types otherwise from version to version."""
    return re.sub(r" \([^)]*\)", "", warning)


# What a page takes for granted: names that its Python uses, and files in the folder where it runs.


def rows_some_of_which_are_known(rng: np.random.Generator) -> Names:
    centers = np.array([[0.0, 0.0], [6.0, 0.0], [0.0, 6.0]])
    known = np.repeat(np.arange(3), 100)
    X = centers[known] + rng.normal(size=(300, 2))
    background = fastgmm.GaussianMixture(3, random_state=0).fit(X)
    few = X[:150:10]
    X[::7, 0] = np.nan
    labels = np.where(np.arange(300) % 10 == 0, known, -1)
    np.save("points.npy", np.concatenate([rng.normal(0, 1, (5000, 2)), rng.normal(8, 1, (5000, 2))]))
    return {"np": np, "X": X, "labels": labels, "background": background, "few": few}


def sixteen_groups_of_points(rng: np.random.Generator) -> Names:
    points = np.concatenate([rng.normal(8 * k, 1, (400, 2)) for k in range(16)])
    np.savetxt("points.csv", points, delimiter=",", header="x,y", comments="")
    return {}


def hours_delays_and_a_model(rng: np.random.Generator) -> Names:
    rows = rng.normal(size=(300, 2))
    np.savetxt("points.csv", rows, delimiter=",", header="hour,delay", comments="")
    fastgmm.GaussianMixture(2, random_state=0, tol=0.1).fit(Table(rows, ("hour", "delay"))).save("model.npz")
    return {}


def three_sites_and_a_model(rng: np.random.Generator) -> Names:
    rows = rng.normal(size=(300, 2))
    for site, part in zip(("aarhus", "basel", "cork"), np.split(rows, [100, 150]), strict=True):
        np.savetxt(f"{site}.csv", part, delimiter=",")
    fastgmm.GaussianMixture(2, random_state=0, tol=0.1).fit(rows).save("model.npz")
    return {}


def a_model_far_from_zero(rng: np.random.Generator) -> Names:
    fastgmm.GaussianMixture(2, random_state=0).fit(rng.normal(1e4, 1.0, (100, 4))).save("model.npz")
    return {}


def points_with_holes(rng: np.random.Generator) -> Names:
    centers = np.repeat([[0, 0], [9, 0], [0, 9]], 100, axis=0)
    points = np.where(rng.random((300, 2)) < 0.1, np.nan, centers + rng.normal(size=(300, 2)))
    np.savetxt("holes.csv", points, delimiter=",", header="x,y", comments="")
    return {}


def eruptions_and_a_model(rng: np.random.Generator) -> Names:
    points = Table(load_old_faithful(), OLD_FAITHFUL_COLUMNS)
    fastgmm.GaussianMixture(2, random_state=0).fit(points).save("model.npz")
    pandas = pytest.importorskip("pandas")
    pandas.DataFrame(points.values, columns=OLD_FAITHFUL_COLUMNS).to_parquet("points.parquet")
    return {}


def measured_points(rng: np.random.Generator) -> Names:
    variances = rng.gamma(1.0, 1.0, (300, 2))
    points = rng.normal(np.repeat([[0, 0], [6, 6]], 150, axis=0), np.sqrt(1 + variances))
    for name, table in (("points.csv", points), ("variances.csv", variances)):
        np.savetxt(name, table, delimiter=",", header="x,y", comments="")
    return {}


GIVEN: dict[str, Callable[[np.random.Generator], Names]] = {
    README: sixteen_groups_of_points,
    "algebra.md": hours_delays_and_a_model,
    "beyond-scikit-learn.md": rows_some_of_which_are_known,
    "elsewhere.md": a_model_far_from_zero,
    "known-errors.md": measured_points,
    "missing-values.md": points_with_holes,
    "moments.md": three_sites_and_a_model,
    "pictures.md": eruptions_and_a_model,
}


# What a page says, beside what is found.


def check_readme(text: str, names: Names) -> None:
    assert sorted(np.round(names["gm"].means_[:, 0])) == [0.0, 4.0]
    assert np.array_equal(fastgmm.load("mixture.npz").means_, names["gm"].means_)
    assert names["chosen"].best_params_ == {"n_components": 3, "covariance_type": "tied"}
    heading, *_, first, second, third = str(names["chosen"]).split("\n\ncomponents")[0].splitlines()
    assert heading == "Best of 36 models by BIC: 3 tied components"
    assert [row.split()[:2] for row in (first, second, third)] == [["tied", "3"], ["tied", "4"], ["full", "2"]]
    assert fastgmm.load("model.npz").n_components == 16
    assert len(np.unique(np.loadtxt("labels.csv", skiprows=1))) == 16
    assert all(Path(picture).read_bytes().startswith(b"\x89PNG") for picture in ("mixture.png", "picture.png"))


def check_factor_analyzers(text: str, names: Names) -> None:
    gm = names["gm"]
    assert (gm.loadings_.shape, gm.uniquenesses_.shape) == ((2, 200, 3), (2, 200))
    assert "comes out as 0.25 on average" in text
    assert gm.uniquenesses_.mean() == pytest.approx(0.25, abs=0.006)
    assert "here they find 797 numbers each" in text
    assert gm._n_parameters() == 2 * (200 + 797) + 1
    assert names["chosen"].best_params_ == {"n_components": 2, "covariance_type": "factor", "rank": 3}


def check_noise(text: str, names: Names) -> None:
    assert "of all rows" in text
    assert names["gm"].noise_weight_ == pytest.approx(0.35, abs=0.006)
    assert "2.0 minutes with 54 of waiting, and 4.3 with 80" in text
    short, long = np.argsort(names["gm"].means_[:, 0])
    assert names["gm"].means_[short] == pytest.approx([2.0, 54], abs=0.5)
    assert names["gm"].means_[long] == pytest.approx([4.3, 80], abs=0.5)
    without = fastgmm.GaussianMixture(2, random_state=0).fit(names["X"]).means_
    assert "58 minutes of waiting after the short ones, and eruptions of 4.5 minutes" in text
    assert [without[:, 1].min(), without[:, 0].max()] == pytest.approx([58, 4.5], abs=0.5)


def check_counts(text: str, names: Names) -> None:
    assert f"mostly of their kind: {names['share']:.2f}" in text
    assert names["chosen"].best_.n_components == 2
    assert names["of_color"].shape == (2, 2)
    assert {frozenset(top) for top in names["tops"]} <= {
        frozenset(pair) for pair in (["bank", "rates"], ["goal", "match"], ["match", "the"], ["goal", "the"])
    }


def check_shapes(text: str, names: Names) -> None:
    assert "VEV with two components, whose BIC is 561.7, to three with 562.6" in text
    assert names["chosen"].best_params_ == {"n_components": 2, "covariance_type": "VEV"}
    assert [names["chosen"].model("VEV", k).bic(names["X"]) for k in (2, 3)] == pytest.approx([561.7, 562.6], abs=0.06)


def check_start(text: str, names: Names) -> None:
    assert "about a third take two minutes, and the next one comes after 54" in text
    short, long = np.argsort(names["gm"].means_[:, 0])
    assert names["gm"].weights_[short] == pytest.approx(1 / 3, abs=0.05)
    assert names["gm"].means_[short] == pytest.approx([2, 54], abs=0.5)
    assert names["gm"].means_[long] == pytest.approx([4.3, 80], abs=0.1)
    assert Path("geyser.npz").exists()


def check_bad_fits(text: str, names: Names) -> None:
    assert names["spiky"].degenerate_components_
    assert not names["tied"].degenerate_components_ + names["believing"].degenerate_components_
    assert "0.361 instead of 0.356" in text
    assert names["too_wide"].weights_.min() == pytest.approx(0.361, abs=0.0006)
    assert names["right"].weights_.min() == pytest.approx(0.356, abs=0.0006)
    assert "between -5.00 and -4.90 nats a row; the default start ends at -4.90" in text
    lowest, highest = min(names["by_chance"]), max(names["by_chance"])
    assert [lowest, highest, names["by_default"]] == pytest.approx([-5.00, -4.90, -4.90], abs=0.006)
    assert names["faster"].n_iter_ < 0.7 * names["patient"].n_iter_
    assert names["faster"].score(names["overlapping"]) >= names["patient"].score(names["overlapping"]) - 1e-5


def check_beyond_scikit_learn(text: str, names: Names) -> None:
    adapted, background = names["adapted"], names["background"]
    assert np.array_equal(adapted.covariances_, background.covariances_)
    assert not np.array_equal(adapted.means_, background.means_)
    assert np.isfinite(names["filled"]).all()
    assert sorted(np.bincount(names["labels"])) == [5000, 5000]
    assert Path("fit.npz").exists()
    assert np.allclose(names["gm"].means_, [[0, 0], [4, 4]], atol=0.5)
    assert np.allclose(names["gm"].weights_, [5 / 8, 3 / 8], atol=0.05)


def check_missing_values(text: str, names: Names) -> None:
    fits, spreads = text.split("## What is missing")
    told = rows_of_table(fits)
    assert told.keys() == names["fits"].keys()
    for name, gm in names["fits"].items():
        order = np.argsort(gm.means_[:, 0])
        first, second = np.sqrt(np.diagonal(gm.covariances_[order], axis1=1, axis2=2)).T
        correlations = gm.covariances_[order, 0, 1] / (first * second)
        found = [*gm.weights_[order], *correlations, gm.score(names["fresh"])]
        np.testing.assert_allclose(told[name], found, atol=0.006)
    for name, table in names["spreads"].items():
        np.testing.assert_allclose(rows_of_table(spreads)[name], table[:, 1].std(), atol=0.006)
    assert not np.isnan(np.loadtxt("filled.csv", delimiter=",", skiprows=1)).any()
    assert np.loadtxt("draws.csv", delimiter=",", skiprows=1).shape == (5 * 300, 3)


def check_known_errors(text: str, names: Names) -> None:
    told = rows_of_table(text)
    assert told.keys() == names["fits"].keys()
    for name, gm in names["fits"].items():
        order = np.argsort(gm.means_[:, 0])
        first, second = np.sqrt(np.diagonal(gm.covariances_[order], axis1=1, axis2=2)).T
        correlations = gm.covariances_[order, 0, 1] / (first * second)
        found = [*gm.weights_[order], *first, *correlations, gm.score(names["true"])]
        np.testing.assert_allclose(told[name], found, atol=0.006)
    assert "off by 0.59 on average, measured ones by 1.01" in text
    assert list(names["off"].values()) == pytest.approx([1.01, 0.59], abs=0.006)
    assert names["fast"].n_iter_ < 0.3 * names["slow"].n_iter_
    assert names["fast"].lower_bound_ > names["slow"].lower_bound_ - 1e-7
    assert fastgmm.load("model.npz").n_components == 2


def check_streams(text: str, names: Names) -> None:
    told = rows_of_table(text)
    found = names["scores"] | names["orders"]
    assert len(found) == 7
    for name, score in found.items():
        np.testing.assert_allclose(told[name], [score], atol=0.0006 if name != "sorted" else 0.01)


def check_beyond_memory(text: str, names: Names) -> None:
    rows, gm = names["rows"], names["gm"]
    assert len(names["labels"]) == len(rows)
    np.testing.assert_array_equal(gm.means_, names["fit"].means_)
    in_memory = fastgmm.GaussianMixture(4, random_state=0).fit(rows).score(rows)
    assert in_memory == pytest.approx(gm.score(rows), abs=1e-3)
    np.testing.assert_array_equal(fastgmm.load("model.npz").means_, names["of_two"].means_)
    np.testing.assert_array_equal(fastgmm.load("model-of-rows.npz").means_, gm.means_)
    np.testing.assert_array_equal(np.load("probabilities.npy").argmax(axis=1), names["labels"])


def check_moments(text: str, names: Names) -> None:
    assert f"both take {names['iteration']} iterations" in text
    assert names["whole"].n_iter_ == names["iteration"]
    assert max(names["differences"]) < 1e-12
    np.testing.assert_allclose(names["found"], names["patient"][0], rtol=0, atol=1e-12)
    assert [names["may_leave"](each) for each in names["moments"]] == [False, True, True]
    assert not names["may_leave"](names["told"])
    told = dict(re.findall(r"^\| (\w[^|]*) \| (\S+) \|$", text, flags=re.MULTILINE))
    assert told.keys() == names["moving"].keys() | names["errors"].keys()
    for name, mean in names["moving"].items():
        assert float(told[name]) == pytest.approx(mean, abs=0.006)
    for name, error in names["errors"].items():
        assert float(told[name]) / 10 < error < float(told[name]) * 10, name
    model = fastgmm.load("model.npz")
    rows = np.concatenate([np.loadtxt(f"{site}.csv", delimiter=",") for site in ("aarhus", "basel", "cork")])
    after = model.maximized(model.moments(rows))
    np.testing.assert_allclose(fastgmm.load("next-model.npz").means_, after.means_, rtol=1e-12)


def check_algebra(text: str, names: Names) -> None:
    told = rows_of_table(text)
    for hour, mean, std in zip((8, 12, 18), names["mean"][:, 0], names["std"][:, 0], strict=True):
        np.testing.assert_allclose(told[f"at {hour}"], [mean, std], atol=0.06)
    assert names["late"][8.0] < 1e-6 < 0.3 < names["late"][18.0]
    assert names["is_inside"].tolist() == [True, False, False]
    assert np.array_equal(names["p_values"] >= 0.01, names["is_inside"])
    assert "at 12.1 hours" in text
    np.testing.assert_allclose(names["cuts"], [-8.9, 12.1], atol=0.06)
    assert names["components"][0] == names["components"][2] != names["components"][1]
    assert "loses 1.3 nats" in text
    assert abs(names["lost"] - 1.3) < 0.05
    np.testing.assert_allclose(names["regressor"].mixture_.means_, names["gm"].means_, rtol=1e-12)
    np.testing.assert_allclose(names["expected"][0], names["mean"][1, 0], rtol=1e-12)
    np.testing.assert_allclose(names["expected"][1], names["X"][:, 1].mean(), atol=0.01)
    assert names["found"].components_of(2) == names["found"].components
    assert np.bincount(names["found"].labels).tolist() in ([4000, 2000], [2000, 4000])
    methods = re.findall(r"`(\w+)\(", text.split("## All methods")[1].split("A mixture that leaves")[0])
    assert set(methods) == set(fastgmm.model.algebra.__all__)
    check_commands_of_the_algebra()


def check_commands_of_the_algebra() -> None:
    rows = np.loadtxt("points.csv", delimiter=",", skiprows=1)
    found = np.loadtxt("expected.csv", delimiter=",", skiprows=1)
    mean, std = fastgmm.load("model.npz").regress(rows[:, :1], ["hour"], return_std=True)
    np.testing.assert_allclose(found, np.c_[mean, std], rtol=1e-12)
    assert np.load("p-values.npy").shape == (300,)


def check_elsewhere(text: str, names: Names) -> None:
    gm, X = names["gm"], names["X"]
    assert np.array_equal(names["label"], gm.predict(X))
    np.testing.assert_allclose(names["log_density"], gm.score_samples(X), rtol=1e-12)
    in_single = gm.score_samples(X.astype(np.float32).astype(np.float64))
    np.testing.assert_allclose(names["rounded"], in_single, atol=1e-5)
    assert Path("model-float32.onnx").exists()


def check_coming_from(text: str, names: Names) -> None:
    assert np.array_equal(names["ours"].predict(names["X"]), names["theirs"].predict(names["X"]))
    assert np.array_equal(names["back"].means_, names["theirs"].means_)


def check_pictures(text: str, names: Names) -> None:
    assert all(Path(name).read_bytes().startswith(b"\x89PNG") for name in ("geyser.png", "picture.png"))
    assert Path("waiting.svg").exists()
    assert Path("density.pdf").exists()


def check_sequences(text: str, names: Names) -> None:
    assert "94 times of a hundred" in text
    assert names["hmm"].transmat_[0, 1] == pytest.approx(0.94, abs=0.005)
    assert "its BIC is 57 more" in text
    assert round(names["gm"].bic(names["X"]) - names["hmm"].bic(names["X"])) == 57
    assert len(names["states"]) == sum(names["days"]) == 272
    assert np.isfinite(names["log_likelihood"])
    assert names["drawn"].shape == (1000, 2)
    np.testing.assert_allclose(names["ladder"].means_.ravel(), [0, 3, 6], atol=0.4)


def check_tables(text: str, names: Names) -> None:
    assert list(names["gm"].feature_names_in_) == ["delay", "distance"]


FOUND: dict[str, Callable[[str, Names], None]] = {
    README: check_readme,
    "algebra.md": check_algebra,
    "bad-fits.md": check_bad_fits,
    "beyond-memory.md": check_beyond_memory,
    "beyond-scikit-learn.md": check_beyond_scikit_learn,
    "coming-from.md": check_coming_from,
    "counts.md": check_counts,
    "elsewhere.md": check_elsewhere,
    "factor-analyzers.md": check_factor_analyzers,
    "known-errors.md": check_known_errors,
    "missing-values.md": check_missing_values,
    "moments.md": check_moments,
    "noise.md": check_noise,
    "pictures.md": check_pictures,
    "shapes.md": check_shapes,
    "sequences.md": check_sequences,
    "start.md": check_start,
    "streams.md": check_streams,
    "tables.md": check_tables,
}


@pytest.mark.parametrize("page", WITH_PYTHON)
def test_the_code_of_a_page_runs_and_finds_what_it_says(
    page: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    rng: np.random.Generator,
) -> None:
    for library in needed_libraries(page):
        pytest.importorskip(library)
    monkeypatch.chdir(tmp_path)
    names = GIVEN[page](rng) if page in GIVEN else {}
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always", UserWarning)
        run_python(page, names)
    printed = capsys.readouterr().out
    run_commands(page)
    capsys.readouterr()
    announced = re.findall("# warns: (.+)$", text_of(page), re.MULTILINE)
    assert [without_types(str(warning.message)) for warning in warned] == [without_types(each) for each in announced]
    for shown in blocks(page, "text"):
        assert shown.strip() in printed
    if page in FOUND:
        FOUND[page](text_of(page), names)


def test_no_page_is_left_out() -> None:
    """Every name in the tables above is that of a page, and all but a few have something to check."""
    assert GIVEN.keys() | FOUND.keys() <= set(WITH_PYTHON)
    assert set(WITH_PYTHON) - FOUND.keys() == {"choosing.md"}  # it shows what it prints

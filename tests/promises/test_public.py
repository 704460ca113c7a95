"""What is public: completion shows it and nothing else, and all of it is documented."""

import inspect
import re
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

import fastgmm


@pytest.mark.parametrize("module", [fastgmm, fastgmm.errors])
def test_completion_shows_what_is_public_and_nothing_else(module: ModuleType) -> None:
    assert dir(module) == sorted(module.__all__)
    assert all(hasattr(module, name) for name in module.__all__)


def test_errors_are_all_that_fastgmm_defines() -> None:
    defined = vars(fastgmm.errors).items()
    kinds = {name for name, each in defined if inspect.isclass(each) and issubclass(each, Exception)}
    assert kinds == set(fastgmm.errors.__all__)


def calls() -> Iterator[tuple[str, Callable[..., Any]]]:
    """The public functions and methods, by name."""
    for name in fastgmm.__all__:
        each = getattr(fastgmm, name)
        if inspect.isfunction(each):
            yield name, each
        elif inspect.isclass(each):
            methods = inspect.getmembers(each, inspect.isroutine)
            yield from ((f"{name}.{method}", call) for method, call in methods if not method.startswith("_"))


CALLS = dict(calls())


def parameters_of(name: str) -> list[str]:
    """Those that a caller gives: all but the estimator itself."""
    parameters = list(inspect.signature(CALLS[name]).parameters)
    return parameters[1:] if "." in name and inspect.isfunction(CALLS[name]) else parameters


def sections(documented: object) -> dict[str, str]:
    """The sections of a docstring by their titles."""
    parts = re.split(r"^(\w+)\n-+\n", inspect.getdoc(documented) or "", flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_functions_methods_and_those_of_the_class_are_looked_at() -> None:
    assert {"load", "GaussianMixture.fit", "GaussianMixture.from_sklearn", "Moments.recentred"} <= CALLS.keys()


@pytest.mark.parametrize("name", CALLS)
def test_a_docstring_says_what_a_call_takes_and_gives_and_shows_it(name: str) -> None:
    told = sections(CALLS[name])
    titles = re.findall(r"^([*\w, ]+?)(?: :.*)?$", told.get("Parameters", ""), re.MULTILINE)
    assert [each.strip(" *") for title in titles for each in title.split(",")] == parameters_of(name)
    assert ("Returns" in told) == (inspect.signature(CALLS[name]).return_annotation is not None)
    assert ">>> " in told["Examples"]


@pytest.mark.parametrize("name", CALLS)
def test_help_shows_the_name_of_a_type_and_not_what_it_stands_for(name: str) -> None:
    assert "numpy._typing" not in str(inspect.signature(CALLS[name]))


def test_types_are_told_of_everything_but_keywords_and_what_has_none_in_scikit_learn() -> None:
    untold = set()
    for name, call in CALLS.items():
        types = inspect.get_annotations(inspect.unwrap(call), eval_str=True)
        untold |= {f"{name}: {each}" for each in [*parameters_of(name), "return"] if types[each] is Any}
    assert untold == {
        "GaussianHMM.set_params: params",
        "GaussianMixture.from_parameters: options",
        "GaussianMixture.from_sklearn: options",
        "GaussianMixture.set_params: params",
        "GaussianMixture.get_metadata_routing: return",
        "GaussianMixture.to_onnx: return",
        "GaussianMixture.to_sklearn: return",
        "GaussianMixtureImputer.set_params: params",
        "GaussianMixtureImputer.transform: return",
        "GaussianMixtureImputer.fit_transform: return",
        "GaussianMixtureSelection.set_params: params",
        "GaussianMixtureSelection.get_metadata_routing: return",
        "MixtureRegressor.set_params: params",
        "MixtureRegressor.get_metadata_routing: return",
    } | {
        f"{name}Mixture.{told}"
        for name in ("Bernoulli", "Categorical", "Multinomial", "Poisson")
        for told in ("set_params: params", "get_metadata_routing: return")
    }

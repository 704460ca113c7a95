"""Model files for tests: models, their bytes, and bytes taken apart and put together again."""

import numpy as np

from fastgmm.files import archive, model_file
from fastgmm.files.members import digest, npy
from fastgmm.files.model_file import SavedModel
from fastgmm.parameters import Parameters

FAMILY_NAMES = ["full", "tied", "diag", "spherical"]


def make_parameters(covariance_type="full", n_components=3, n_features=2, seed=0):
    rng = np.random.default_rng(seed)
    weights = rng.uniform(0.5, 1.5, n_components)
    factors = rng.normal(size=(n_components, n_features, n_features))
    matrices = factors @ np.swapaxes(factors, 1, 2) + np.eye(n_features)
    covariances = {
        "full": matrices,
        "tied": matrices[0],
        "diag": rng.uniform(0.1, 2.0, (n_components, n_features)),
        "spherical": rng.uniform(0.1, 2.0, n_components),
    }[covariance_type]
    means = rng.normal(size=(n_components, n_features)) * 1e3
    return Parameters(covariance_type, weights / weights.sum(), means, covariances)


def make_model(covariance_type="full", **changes):
    fields = {
        "parameters": make_parameters(covariance_type),
        "options": {"n_components": 3, "tol": 1e-3, "random_state": None, "backend": "auto"},
        "fit": {"converged": True, "n_iter": 7, "lower_bound": -1.0 / 3.0, "lower_bounds": [-2.5, -1.0 / 3.0]},
        "feature_names": ("eruptions", "Dauer in µs"),
        "dtype": "float32",
    }
    return SavedModel(**(fields | changes))


def same(left, right):
    """Bit for bit, the arrays as well as the rest."""
    arrays = all(
        getattr(left.parameters, name).tobytes() == getattr(right.parameters, name).tobytes()
        and getattr(left.parameters, name).shape == getattr(right.parameters, name).shape
        for name in ("weights", "means", "covariances")
    )
    return (
        arrays
        and left.parameters.covariance_type == right.parameters.covariance_type
        and repr(left.options) == repr(right.options)
        and repr(left.fit) == repr(right.fit)
        and left.feature_names == right.feature_names
        and left.dtype == right.dtype
    )


def encoded(model):
    """The bytes of a model file."""
    return b"".join(model_file._encode(model))


def members_of(content):
    """The members of an archive by name without ``.npy``."""
    return {name.removesuffix(".npy"): bytes(member) for name, member in archive.unpack(content).items()}


def archived(members):
    """An archive of these members, with the checksums that ``zipfile`` asks for."""
    return b"".join(archive.pack({f"{name}.npy": content for name, content in members.items()}))


def sealed(members):
    """An archive of these members, and where they have a digest one that fits."""
    if "digest" in members:
        members = members | {"digest": npy(np.frombuffer(digest(members), np.uint8))}
    return archived(members)


def writer(path):
    """What gives a file this content. Not emptied first: some file systems then wait for the disk, every time."""
    path.touch()

    def put(content):
        with open(path, "r+b", buffering=0) as file:
            file.write(content)
            file.truncate()
        return path

    return put

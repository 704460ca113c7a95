"""Loads what a coverage-guided fuzzer makes of model files: ``python -m tests.fuzz_load CORPUS -max_total_time=120``.

Options are libFuzzer's. Half of the inputs are bytes changed anywhere, which the checksums catch; for the other half a
file is changed inside and its checksums made to fit (``damage.py``), so that what lies behind them is reached. Ends
with an error, and leaves the input in a file, where ``load`` does anything but refuse it with ``ModelFormatError`` or
return a model that scores, and where it takes more memory than the file pays for.
"""

import os
import random
import sys
import tempfile
import tracemalloc
import warnings
from contextlib import suppress
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["fastgmm", "json.decoder"]):
    import fastgmm
    from fastgmm.errors import ModelFormatError
    from fastgmm.estimator import interchange  # noqa: F401
    from fastgmm.files import archive, model_file, strict_json  # noqa: F401
    from fastgmm.fit import options  # noqa: F401
    from fastgmm.model import attributes  # noqa: F401

import numpy as np

from tests.damage import START, forged, npy
from tests.model_files import FAMILY_NAMES, encoded, make_model, members_of, sealed

# A file's own bytes twice while it is read; then once with its arrays, which are copied and checked, and the header's
# objects, up to eight times the file.
MEMORY_OF_A_BYTE, MEMORY_ALLOWANCE = 16, 2 * 2**20


def load_one(content: bytes) -> None:
    with open(FILE, "r+b", buffering=0) as file:
        file.write(content)
        file.truncate()
    tracemalloc.reset_peak()
    before, _ = tracemalloc.get_traced_memory()
    try:
        model = fastgmm.load(FILE)
    except ModelFormatError:
        model = None
    _, peak = tracemalloc.get_traced_memory()
    if peak - before > MEMORY_OF_A_BYTE * len(content) + MEMORY_ALLOWANCE:
        raise MemoryError(f"{peak - before} bytes for a file of {len(content)}")
    if model is not None:
        probabilities = model.predict_proba(model.means_)
        assert np.isfinite(probabilities).all()


def mutate(content: bytes, max_size: int, seed: int) -> bytes:
    rng = random.Random(seed)
    if rng.random() < 0.3:
        return bytes(atheris.Mutate(content, max_size))
    with suppress(ModelFormatError, IndexError):  # no archive, or one without members
        if rng.random() < 0.5:
            return forged(content, rng)[:max_size]
        members = members_of(content)
        name = rng.choice(list(members))
        if name == "header":  # its text, in an array as long as it is
            members[name] = npy(atheris.Mutate(members[name][START:], max_size), "|u1")
        else:
            members[name] = bytes(atheris.Mutate(members[name], max_size))
        return sealed(members)[:max_size]
    return bytes(atheris.Mutate(content, max_size))


def main() -> None:
    warnings.simplefilter("error")
    warnings.filterwarnings("ignore", message="X does not have valid feature names")
    seeds = [encoded(make_model(name)) for name in FAMILY_NAMES]
    seeds += [encoded(make_model(name, options={}, fit={}, feature_names=None)) for name in FAMILY_NAMES]
    for content in seeds:  # the first load imports what it needs, which is not of a file's account
        FILE.write_bytes(content)
        fastgmm.load(FILE).predict_proba(np.zeros((1, 2)))
    corpus = next((Path(argument) for argument in sys.argv[1:] if not argument.startswith("-")), None)
    for number, content in enumerate(seeds if corpus and corpus.is_dir() else []):
        (corpus / f"seed-{number}").write_bytes(content)
    tracemalloc.start()  # once, and traces are kept: each time that they are cleared, kilobytes stay behind
    atheris.Setup(sys.argv, load_one, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    descriptor, name = tempfile.mkstemp(suffix=".npz")
    os.close(descriptor)
    FILE = Path(name)
    main()

"""A fit that is killed goes on from its checkpoint, to the same bits."""

import os
import signal
import subprocess
import sys
import textwrap
import time
import warnings
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastgmm import GaussianMixture, Step, blocks_of
from fastgmm.errors import DegenerateComponentError
from fastgmm.estimator import calls
from fastgmm.files.checkpoint_file import CheckpointFile
from fastgmm.fit.checkpoint import SavedFit
from fastgmm.machine.waiting import AbandonedError
from tests.checkpoints import D, K, KilledError, N, fit, require_same_fit, rows

FITS: dict[str, dict[str, Any]] = {
    "plain": {},
    "restarts": {"n_init": 3},
    "squarem": {"accelerate": "squarem", "tol": 1e-7},
    "squarem-restarts": {"accelerate": "squarem", "n_init": 2},
    "annealed": {"annealing": 0.3},
    "hard": {"assignment": "hard"},
    "prior": {"prior": "default", "reg_covar": 0},
    "tied": {"covariance_type": "tied"},
    "diag": {"covariance_type": "diag", "init_params": "random"},
    "spherical": {"covariance_type": "spherical"},
    "fails": {"n_init": 3, "reg_covar": 0, "init_params": "random_from_data"},
}


@pytest.mark.parametrize("options", FITS.values(), ids=FITS.keys())
@pytest.mark.parametrize("in_blocks", [True, False])
@pytest.mark.parametrize("killed_after", [1, 7])
def test_a_fit_goes_on_to_the_same_bits(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, Any],
    in_blocks: bool,
    killed_after: int,
) -> None:
    monkeypatch.setattr(calls, "CheckpointFile", partial(CheckpointFile, seconds_between=0.0))
    X = blocks_of([rows()], block_rows=1000) if in_blocks else rows()
    whole = fit(X, tmp_path / "whole", options)
    n_kills = 0
    for attempt in range(80):
        try:  # not always after so many steps, or one that ends a run would never be over
            resumed = fit(X, tmp_path / "killed", options, killed_after + attempt % 2)
            break
        except KilledError:
            n_kills += 1
    else:
        pytest.fail("the fit does not end")
    require_same_fit(whole, resumed)
    assert n_kills <= 2 + 2 * len(whole.history_) // killed_after


def test_a_checkpoint_changes_nothing_of_a_fit_in_blocks(tmp_path: Path) -> None:
    X = blocks_of([rows(0.1)], block_rows=1000)
    require_same_fit(fit(X, None, {}), fit(X, tmp_path / "kept", {}))


def test_a_fit_that_has_ended_is_not_repeated(tmp_path: Path) -> None:
    first = fit(rows(), tmp_path / "kept", {"n_init": 2})
    assert first.history_
    require_same_fit(first, fit(rows(), tmp_path / "kept", {"n_init": 2}, killed_after=1))


class Store:
    """Remembers all that was saved."""

    def __init__(self, seconds_between: float) -> None:
        self.seconds_between = seconds_between
        self.saved: list[SavedFit] = []

    def load(self) -> SavedFit | None:
        return self.saved[-1] if self.saved else None

    def save(self, fit: SavedFit) -> None:
        self.saved.append(fit)


def fit_into(store: Store, monkeypatch: pytest.MonkeyPatch, **how: Any) -> GaussianMixture:
    monkeypatch.setattr(calls, "CheckpointFile", lambda path: store)
    return fit(rows(), Path(), how.pop("options", {}), **how)


def test_a_fit_is_saved_no_sooner_than_some_time_after_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    always, seldom = Store(0.0), Store(np.inf)
    require_same_fit(fit_into(always, monkeypatch), fit_into(seldom, monkeypatch))
    assert len(always.saved) == 12
    assert len(seldom.saved) == 1
    assert always.saved[3].run is not None
    assert len(always.saved[3].run.steps) == 4


@pytest.mark.parametrize("error", [KilledError, KeyboardInterrupt, AbandonedError, StopIteration])
def test_what_was_found_last_is_saved_whatever_ends_the_fit(
    monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    def end(step: Step) -> None:
        if step.iteration == 5:
            raise error

    store = Store(np.inf)
    monkeypatch.setattr(calls, "CheckpointFile", lambda path: store)
    gm = GaussianMixture(K, random_state=0, tol=0, callbacks=[end])
    with nullcontext() if error is StopIteration else pytest.raises(error):
        gm.fit(rows(), checkpoint="kept")
    (saved,) = store.saved
    assert saved.run is not None
    assert len(saved.run.steps) == 5


def test_what_was_found_last_is_saved_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    def pass_time(step: Step) -> None:
        if step.iteration == 3:
            monkeypatch.setattr(time, "perf_counter", lambda: 1e12)

    store = Store(np.inf)
    monkeypatch.setattr(calls, "CheckpointFile", lambda path: store)
    gm = GaussianMixture(K, random_state=0, tol=0, deadline=1e6, callbacks=[pass_time]).fit(rows(), checkpoint="kept")
    (saved,) = store.saved
    assert gm.stop_reason_ == "deadline"
    assert saved.run is not None
    assert len(saved.run.steps) == gm.n_iter_ == 3


@pytest.mark.parametrize("in_blocks", [True, False])
def test_a_fit_that_a_callback_has_stopped_goes_on_in_the_same_call(tmp_path: Path, in_blocks: bool) -> None:
    X = blocks_of([rows()], block_rows=1000) if in_blocks else rows()
    seen: list[int] = []

    def stop_at_times(step: Step) -> None:
        seen.append(step.iteration)
        if len(seen) in (5, 9):
            raise StopIteration

    gm = GaussianMixture(K, random_state=5, tol=0, max_iter=12, callbacks=[stop_at_times])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reasons = [gm.fit(X, checkpoint=tmp_path / "kept").stop_reason_ for _ in range(4)]
    assert reasons == ["callback", "callback", "max_iter", "max_iter"]
    assert seen == list(range(1, 13))
    require_same_fit(gm, fit(X, tmp_path / "whole", {}))


def test_a_full_disk_does_not_hide_what_ended_the_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(Store):
        def save(self, fit: SavedFit) -> None:
            raise OSError("no space left")

    with pytest.raises(KilledError):
        fit_into(Full(np.inf), monkeypatch, killed_after=3)
    with pytest.raises(OSError, match="no space left"):
        fit_into(Full(np.inf), monkeypatch)


def test_random_numbers_go_on_where_nobody_has_seeded_them(tmp_path: Path) -> None:
    options = {"random_state": None, "n_init": 4, "init_params": "random_from_data"}
    with pytest.raises(KilledError):
        fit(rows(), tmp_path / "kept", options, killed_after=20)
    kept = (tmp_path / "kept").read_bytes()
    one = fit(rows(), tmp_path / "kept", options)
    (tmp_path / "kept").write_bytes(kept)
    require_same_fit(one, fit(rows(), tmp_path / "kept", options))


def test_fits_that_nobody_has_seeded_differ(tmp_path: Path) -> None:
    options = {"random_state": None, "init_params": "random"}
    one, other = (fit(rows(), tmp_path / name, options) for name in ("one", "other"))
    assert not np.array_equal(one.means_, other.means_)


@pytest.mark.parametrize("bits", [np.random.MT19937, np.random.PCG64])
def test_a_generator_that_is_shared_goes_on(tmp_path: Path, bits: type[Any]) -> None:
    generator = np.random.RandomState(bits(0))
    options = {"random_state": generator, "init_params": "random"}
    one, other = (fit(rows(), tmp_path / name, options) for name in ("one", "other"))
    assert not np.array_equal(one.means_, other.means_)
    again = np.random.RandomState(bits(0))
    # The fit that has ended answers, and the generator is where it was after it.
    require_same_fit(one, fit(rows(), tmp_path / "one", options | {"random_state": again}, killed_after=1))
    require_same_fit(other, fit(rows(), tmp_path / "third", options | {"random_state": again}))
    assert generator.randint(2**31) == again.randint(2**31)


def test_a_seed_is_one_with_a_checkpoint_and_without(tmp_path: Path) -> None:
    for seed in (3, np.int64(3)):
        options = {"random_state": seed, "init_params": "random", "backend": "numpy"}
        blocks = blocks_of([rows()], block_rows=1000)
        require_same_fit(fit(blocks, None, options), fit(blocks, tmp_path / "kept", options))


def first_rows(X: np.ndarray, n_components: int, random_state: Any) -> np.ndarray:
    return X[:n_components]


def last_rows(X: np.ndarray, n_components: int, random_state: Any) -> np.ndarray:
    return X[-n_components:]


REFUSED = "the checkpoint is of a fit of other rows, with other options or another backend, or from another start"


@pytest.mark.parametrize("in_blocks", [True, False])
@pytest.mark.parametrize("change", [{"n_init": 2}, {"random_state": np.int64(6)}, {"means_init": rows()[:K]}])
def test_another_fit_is_refused(tmp_path: Path, change: dict[str, Any], in_blocks: bool) -> None:
    X = blocks_of([rows()], block_rows=1000) if in_blocks else rows()
    fit(X, tmp_path / "kept", {"random_state": np.int64(5)})
    with pytest.raises(ValueError, match=REFUSED):
        fit(X, tmp_path / "kept", change)


def test_another_start_of_the_user_is_refused(tmp_path: Path) -> None:
    fit(rows(), tmp_path / "kept", {"init_params": first_rows})
    with pytest.raises(ValueError, match=REFUSED):
        fit(rows(), tmp_path / "kept", {"init_params": last_rows})


def test_what_changes_nothing_of_a_fit_is_not_asked_for(tmp_path: Path) -> None:
    one = fit(rows(), tmp_path / "kept", {"verbose": 0, "n_threads": 1})
    how = {"verbose_interval": 3, "n_threads": 2, "deadline": 60.0, "learning_decay": 0.6, "learning_offset": 3.0}
    require_same_fit(one, fit(rows(), tmp_path / "kept", how, killed_after=1))


def numbers_of_rows() -> dict[str, np.ndarray]:
    rng = np.random.RandomState(1)
    labels = np.where(rng.uniform(size=10_000) < 0.1, rng.randint(0, K, 10_000), -1)
    return {"X": rng.standard_normal((10_000, D)), "sample_weight": rng.uniform(1, 2, 10_000), "labels": labels}


@pytest.mark.parametrize("in_blocks", [True, False])
@pytest.mark.parametrize("changed", ["X", "sample_weight", "labels", "order", "no labels", "no sample_weight"])
def test_other_rows_are_refused(tmp_path: Path, changed: str, in_blocks: bool) -> None:
    """Other in one number, which no sample holds and no sum shows."""

    def fitted(data: dict[str, np.ndarray]) -> GaussianMixture:
        gm = GaussianMixture(K, random_state=0, max_iter=3, init_params="random_from_data")
        if not in_blocks:
            return gm.fit(**data, checkpoint=tmp_path / "kept")
        names = [name for name in ("sample_weight", "labels") if name in data]
        places = {name.removeprefix("sample_"): D + i for i, name in enumerate(names)}
        table = np.column_stack(list(data.values()))
        return gm.fit(blocks_of([table], block_rows=3000, **places), checkpoint=tmp_path / "kept")

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        require_same_fit(fitted(numbers_of_rows()), fitted(numbers_of_rows()))
        data = numbers_of_rows()
        if changed.startswith("no "):
            del data[changed.removeprefix("no ")]
        elif changed == "order":
            data = {name: np.concatenate([array[1::-1], array[2:]]) for name, array in data.items()}
        elif changed == "labels":
            unknown = np.flatnonzero(data["labels"] < 0)[0]
            known = np.flatnonzero(data["labels"] >= 0)[0]
            data["labels"][[unknown, known]] = data["labels"][[known, unknown]]
        elif changed == "X":
            data["X"][7777] *= 1 + 1e-15
        else:
            data["sample_weight"][[17, 18]] = data["sample_weight"][[18, 17]]
        with pytest.raises(ValueError, match=REFUSED):
            fitted(data)


@pytest.mark.parametrize("in_blocks", [True, False])
def test_a_warm_start_from_another_fit_is_refused(tmp_path: Path, in_blocks: bool) -> None:
    X = blocks_of([rows()], block_rows=1000) if in_blocks else rows()

    def warm(n_before: int) -> GaussianMixture:
        gm = GaussianMixture(K, random_state=0, tol=0, warm_start=True, max_iter=n_before).fit(X)
        return gm.set_params(max_iter=4).fit(X, checkpoint=tmp_path / "kept")

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        require_same_fit(warm(2), warm(2))
        with pytest.raises(ValueError, match=REFUSED):
            warm(3)


def test_the_layout_of_rows_is_no_matter(tmp_path: Path) -> None:
    one = fit(rows(), tmp_path / "kept", {})
    require_same_fit(one, fit(np.asfortranarray(rows()), tmp_path / "kept", {}, killed_after=1))


def test_stochastic_fits_are_not_kept(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be kept in a checkpoint"):
        fit(rows(), tmp_path / "kept", {"assignment": "stochastic"})


def test_a_fit_that_cannot_be_kept_does_not_begin(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no such folder"):
        fit(rows(), tmp_path / "no such folder" / "kept", {}, killed_after=1)


def test_a_fit_that_fails_fails_again(tmp_path: Path) -> None:
    flat = np.column_stack([rows(), np.zeros(N)])
    for _ in range(2):
        with pytest.raises(DegenerateComponentError):
            fit(flat, tmp_path / "kept", {"reg_covar": 0})


_VICTIM = """
import sys, warnings
from functools import partial
from fastgmm import GaussianMixture, blocks_of
from fastgmm.estimator import calls
from fastgmm.files.checkpoint_file import CheckpointFile
calls.CheckpointFile = partial(CheckpointFile, seconds_between=0.0)
folder, name = sys.argv[1:]
blocks = blocks_of(folder + "/rows.npy", block_rows=1000)
how = dict(tol=0, max_iter=40, random_state=5, n_init=2, accelerate="squarem", backend="numpy")
warnings.simplefilter("ignore")
gm = GaussianMixture(4, callbacks=[lambda step: print(step.iteration, flush=True)], **how)
gm.fit(blocks, checkpoint=f"{folder}/{name}").save(f"{folder}/{name}.model")
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_after_kill_9_at_any_moment_a_fit_ends_with_the_same_bits(tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", rows())
    run = [sys.executable, "-c", textwrap.dedent(_VICTIM), str(tmp_path)]
    subprocess.run([*run, "whole"], check=True, stdout=subprocess.DEVNULL)
    rng = np.random.RandomState(0)
    n_kills = 0
    while n_kills < int(os.environ.get("FASTGMM_KILLS", "12")):
        (tmp_path / "killed").unlink(missing_ok=True)
        has_ended = False
        while not has_ended:
            with subprocess.Popen([*run, "killed"], stdout=subprocess.PIPE) as process:
                assert process.stdout is not None
                for _ in range(rng.randint(1, 20)):
                    process.stdout.readline()
                time.sleep(rng.uniform(0, 0.01))
                if process.poll() is None:
                    os.kill(process.pid, signal.SIGKILL)
                process.stdout.read()
            has_ended = process.returncode == 0
            n_kills += not has_ended
        assert (tmp_path / "killed.model").read_bytes() == (tmp_path / "whole.model").read_bytes()

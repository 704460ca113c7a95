"""What runs of EM leave: their steps, and their outcome."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from fastgmm.families.noise import Noise
from fastgmm.fit.prior import Prior
from fastgmm.parameters import FloatArray, Parameters


@dataclass(frozen=True, eq=False)
class Step:
    """One iteration of EM, as callbacks and ``history_`` see it.

    Attributes
    ----------
    restart, iteration : int
        Restarts count from 0, iterations from 1.
    lower_bound : float
        The mean log-likelihood per unit of weight, under the parameters before this iteration's M-step; with a prior
        the logarithm of its density, too. Of hard assignments, and while a fit is annealed, what these make rise.
    change : float
        Of ``lower_bound`` since the iteration before; ``inf`` in the first.
    converged : bool
        Whether the change was smaller than ``tol``, and no fall (but one from where an extrapolation led).
    seconds : float
        Duration of the iteration.
    parameters : Parameters or None
        After the M-step, read-only. None in ``history_``, which would otherwise hold every model of a fit.
    accepted : bool
        False where the iteration tried an extrapolation (``accelerate="squarem"``) that did not reach the lower bound
        before it: ``lower_bound`` and ``parameters`` are those before it, and ``change`` is by how much it fell short.
    fell : bool
        Whether the lower bound fell by more than rounding, 1e-12 of it (1e-6 for float32). EM alone makes it rise; what
        ``reg_covar`` adds to every covariance then is no part of it, and outweighs that where it is felt.

    Examples
    --------
    A small change means that EM is slow here, not that it is near the end. On a plateau the default ``tol`` stops it;
    a smaller one goes on, and the history shows changes that grow again:

    >>> import numpy as np
    >>> from fastgmm import GaussianMixture
    >>> noise = np.random.RandomState(0).normal(size=(1000, 1))
    >>> x = np.concatenate([noise - 2, noise + 2])
    >>> start = {"means_init": [[-0.4], [0.4]], "precisions_init": [[[0.2]], [[0.2]]]}
    >>> early = GaussianMixture(2, **start).fit(x)
    >>> print(early.converged_, early.n_iter_, early.means_.ravel().round(1))
    True 2 [-0.4  0.4]
    >>> late = GaussianMixture(2, tol=1e-6, **start).fit(x)
    >>> print([f"{step.change:.0e}" for step in late.history_[1:6]])
    ['5e-04', '6e-06', '6e-06', '7e-06', '8e-06']
    >>> print(late.converged_, late.n_iter_, late.means_.ravel().round(1))
    True 53 [-2.1  1.9]
    """

    restart: int
    iteration: int
    lower_bound: float
    change: float
    converged: bool
    seconds: float
    parameters: Parameters | None
    accepted: bool = True
    fell: bool = False


Observer: TypeAlias = Callable[[Step], None]


def together(observers: Sequence[Observer]) -> Observer:
    """Shows all observers the same step; one that stops stops the run."""

    def show(step: Step) -> None:
        is_stopped = False
        for observer in observers:
            try:
                observer(step)
            except StopIteration:
                is_stopped = True
        if is_stopped:
            raise StopIteration

    return show


StopReason: TypeAlias = Literal["converged", "max_iter", "deadline", "callback"]


@dataclass(frozen=True, eq=False)
class Fit:
    """The outcome of one run of EM, or of the best of several; or parameters that were given (``stop_reason`` None).

    Of several runs ``stop_reason`` is what ended the last where that was cut short, also if the best one converged.
    ``precisions_cholesky`` are those of the parameters. ``degenerate``, ``collapsed`` and ``unseeing`` are those of
    :class:`fastgmm.fit.degenerate.Degenerate`. ``prior`` is the one that it was fitted with, among the values of the
    data, so many parameters were fixed, and so many values of the data missing. ``noise_weight`` is the share of rows
    that are ``noise``, beside which the weights of the parameters sum to 1.
    """

    parameters: Parameters
    precisions_cholesky: FloatArray
    lower_bound: float
    converged: bool
    stop_reason: StopReason | None
    steps: tuple[Step, ...]
    degenerate: tuple[int, ...]
    collapsed: tuple[int, ...] = ()
    unseeing: tuple[tuple[int, int], ...] = ()
    prior: Prior | None = None
    n_fixed_parameters: int = 0
    n_missing: int = 0
    noise: Noise | None = None
    noise_weight: float = 0.0

    @property
    def was_cut_short(self) -> bool:
        """Whether something outside EM ended it, which ends restarts as well."""
        return self.stop_reason in ("deadline", "callback")

"""Starting the kernels of chains: tables in lines of whole vectors, and threads of Python's own."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np

from fastgmm.kernels.chains import Chain, ChainKernels, Sequences
from fastgmm.kernels.numba_.chains import Desk, Tables, paths_of_chunk, posteriors_of_chunk
from fastgmm.kernels.numba_.lowering import VECTOR_BYTES
from fastgmm.kernels.numba_.vector_numpy import lanes
from fastgmm.parameters import Array, FloatArray, IntArray

# Vectors of NumPy's functions have a length of their own.
_LANES = lanes(np.empty(0)) if numba.config.DISABLE_JIT else VECTOR_BYTES // 8


def posteriors(
    chain: Chain,
    sequences: Sequences,
    joint: FloatArray,
    log_likelihoods: FloatArray,
    transitions: FloatArray,
    n_threads: int,
) -> None:
    """Turn joint log-densities into posteriors; add expected transitions to the slots of their chunks."""
    _launch(posteriors_of_chunk, chain, sequences, joint, log_likelihoods, transitions, n_threads)


def decode(
    chain: Chain,
    sequences: Sequences,
    joint: FloatArray,
    log_probabilities: FloatArray,
    states: IntArray,
    n_threads: int,
) -> None:
    """The most probable path of every sequence."""
    _launch(paths_of_chunk, chain, sequences, joint, log_probabilities, states, n_threads)


def _launch(
    kernel: Callable[..., None],
    chain: Chain,
    sequences: Sequences,
    joint: FloatArray,
    of_sequences: FloatArray,
    results: Array,
    n_threads: int,
) -> None:
    n_chunks, longest = len(sequences.chunks) - 1, int(np.diff(sequences.offsets).max())
    tables = _tables_of(chain)
    n_workers = min(n_threads, n_chunks)

    def work(worker: int) -> None:
        desk = _desk(longest, *tables.forth.shape)
        for chunk in range(worker, n_chunks, n_workers):
            kernel(chunk, tables, desk, *sequences, joint, of_sequences, results)

    if n_workers == 1:
        work(0)
    else:
        with ThreadPoolExecutor(n_workers) as pool:
            list(pool.map(work, range(n_workers)))


def _tables_of(chain: Chain) -> Tables:
    n = len(chain.start)
    width = -(-n // _LANES) * _LANES

    def lines(table: FloatArray, rest: float) -> FloatArray:
        result = np.full((len(table), width), rest)
        result[:, :n] = table
        return result

    return Tables(
        lines(chain.transitions, 0.0),
        lines(chain.transitions.T, 0.0),
        lines(chain.log_transitions, -np.inf),
        lines(chain.log_transitions.T, -np.inf),
        lines(chain.start[np.newaxis], 0.0),
        lines(chain.log_start[np.newaxis], -np.inf),
    )


def _desk(longest: int, n_states: int, width: int) -> Desk:
    emissions, forward, states = (np.empty((longest, width)) for _ in range(3))
    lines = np.empty((1, width)), np.empty((1, width))
    # Behind the last state nothing is ever written.
    forward[:] = -np.inf
    return Desk(emissions, forward, states, np.empty(longest), np.empty((n_states, width)), *lines, np.empty(1))


KERNELS = ChainKernels(posteriors, decode)

"""``fastgmm demo``: a million points from a mixture of real data, fitted, described and drawn."""

import logging
import time
from argparse import Namespace
from contextlib import AbstractContextManager
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastgmm.datasets import OLD_FAITHFUL_COLUMNS, load_old_faithful
from fastgmm.mixture import GaussianMixture
from fastgmm.parameters import FloatArray, Parameters
from fastgmm.plots import plot_clusters
from fastgmm.reports import Report, duration, facts_text, mixture_text, parameter_facts, rate, typical_seconds
from fastgmm.whole_file import require_writable

logger = logging.getLogger("fastgmm")

_MAX_ITER = 100


def demo(arguments: Namespace, progress: Callable[[Namespace, int], AbstractContextManager[Sequence[Any]]]) -> Report:
    pass

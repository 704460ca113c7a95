"""Ward's tree of few rows: one agglomeration gives a partition for every number of clusters.

Clusters of weights a and b with means p and q have ab/(a + b)·‖p − q‖² more inertia as one than as two [1]_. The two
for which that is least are joined, again and again. A chain of nearest neighbors finds them: two clusters that are each
other's nearest are joined some time, whatever else is, so that the order does not matter, and no sorting is needed but
at the end [2]_.

References
----------
.. [1] J. H. Ward, "Hierarchical grouping to optimize an objective function", JASA 58 (1963).
.. [2] F. Murtagh, "A survey of recent advances in hierarchical clustering algorithms", The Computer Journal 26 (1983).
"""

from dataclasses import dataclass

import numpy as np

from fastgmm.parameters import FloatArray, IntArray

# The table of distances takes 8 bytes for each pair: 8 MB.
MOST_ROWS = 1024


@dataclass(frozen=True, eq=False)
class Tree:
    """Mergers of two clusters (n − 1, 2), the cheapest first; each is named by one of its points."""

    mergers: IntArray

    def labels(self, n_clusters: int) -> IntArray:
        """The partition (n,) into so many clusters, or as many as there are points."""
        n_points = len(self.mergers) + 1
        parents = np.arange(n_points)
        for kept, joined in self.mergers[: max(0, n_points - n_clusters)]:
            parents[_root(parents, joined)] = _root(parents, kept)
        roots = np.array([_root(parents, point) for point in range(n_points)])
        labels: IntArray = np.unique(roots, return_inverse=True)[1].reshape(-1).astype(np.int64)
        return labels


def _root(parents: IntArray, point: int) -> int:
    while parents[point] != point:
        parents[point] = parents[parents[point]]
        point = parents[point]
    return int(point)


def ward_tree(points: FloatArray, weights: FloatArray | None = None) -> Tree:
    """The tree of points (n, d) with positive weights (n,), by default 1; n is at most some thousand.

    Squares of the distances must be finite, or no chain would end.
    """
    n_points = len(points)
    sizes = np.ones(n_points) if weights is None else weights.astype(np.float64)
    lengths = np.square(points).sum(axis=1)
    costs = np.maximum(lengths[:, np.newaxis] + lengths - 2.0 * (points @ points.T), 0.0)
    costs *= sizes[:, np.newaxis] * sizes / (sizes[:, np.newaxis] + sizes)
    np.fill_diagonal(costs, np.inf)
    mergers, heights = np.empty((n_points - 1, 2), np.int64), np.empty(n_points - 1)
    alive, chain = np.ones(n_points, bool), list[int]()
    for number in range(n_points - 1):
        if not chain:
            chain.append(int(np.argmax(alive)))
        while True:
            nearest = int(costs[chain[-1]].argmin())
            # Of equally near ones the one before in the chain, or the chain would not end.
            if len(chain) > 1 and costs[chain[-1], chain[-2]] <= costs[chain[-1], nearest]:
                break
            chain.append(nearest)
        joined, kept = chain.pop(), chain.pop()
        mergers[number], heights[number] = (kept, joined), costs[kept, joined]
        _join(costs, sizes, kept, joined)
        alive[joined] = False
    return Tree(mergers[np.argsort(heights, kind="stable")])


def _join(costs: FloatArray, sizes: FloatArray, kept: int, joined: int) -> None:
    """The costs of every cluster with the two as one: ((a + c)·Cac + (b + c)·Cbc − c·Cab) / (a + b + c)."""
    a, b = sizes[kept], sizes[joined]
    with np.errstate(invalid="ignore"):  # infinity less infinity, at the two themselves
        both = (a + sizes) * costs[kept] + (b + sizes) * costs[joined] - sizes * costs[kept, joined]
        both /= a + b + sizes
    both[np.isnan(both) | np.isinf(costs[joined])] = np.inf
    both[kept] = np.inf
    costs[kept], costs[:, kept] = both, both
    costs[joined], costs[:, joined] = np.inf, np.inf
    sizes[kept] = a + b

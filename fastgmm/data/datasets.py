"""Real data that travels with the package."""

from importlib import resources

from fastgmm.data.tables import read_points
from fastgmm.parameters import FloatArray

OLD_FAITHFUL_COLUMNS = ("eruptions", "waiting")


def load_old_faithful() -> FloatArray:
    """272 eruptions of the geyser Old Faithful in Yellowstone National Park.

    Returns
    -------
    ndarray of shape (272, 2)
        Duration of the eruption and waiting time until the next one, both in minutes, float64.

    Notes
    -----
    The data frame ``faithful`` of R's package ``datasets``, value for value and in its order; from A. Azzalini and
    A. W. Bowman, "A look at some data on the Old Faithful geyser", Applied Statistics 39 (1990), 357–365, and
    W. Härdle, "Smoothing Techniques with Implementation in S" (Springer, 1991).
    """
    with resources.as_file(resources.files("fastgmm") / "data" / "old_faithful.csv") as path:
        return read_points(path).values

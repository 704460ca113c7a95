"""Old Faithful is R's ``faithful``."""

import numpy as np

from fastgmm.data.datasets import load_old_faithful


def test_old_faithful_is_the_data_of_r():
    eruptions = load_old_faithful()
    assert eruptions.shape == (272, 2)
    assert eruptions.dtype == np.float64
    np.testing.assert_array_equal(eruptions[[0, -1]], [[3.600, 79], [4.467, 74]])
    np.testing.assert_allclose(eruptions.mean(axis=0), [3.487783, 70.897059], atol=5e-7)
    # summary(faithful)
    np.testing.assert_array_equal(eruptions.min(axis=0), [1.6, 43])
    np.testing.assert_array_equal(eruptions.max(axis=0), [5.1, 96])
    np.testing.assert_array_equal(np.median(eruptions, axis=0), [4.0, 76])

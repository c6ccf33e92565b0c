import numpy as np
import pytest

from mmwsis.ops.connected_components import count_components


def test_components_are_eight_connected_and_counted_from_a_size_on():
    mask = np.zeros((10, 10), dtype=bool)
    assert count_components(mask) == 0
    mask[0, 0] = mask[1, 1] = True  # joined at a corner
    mask[5:9, 5:9] = True
    assert count_components(mask) == 2
    assert count_components(mask, min_area=3) == 1
    assert count_components(mask, min_area=17) == 0
    with pytest.raises(ValueError, match=r'\(H, W\)'):
        count_components(mask[None])

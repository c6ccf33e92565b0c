"""Pictures of ``tools/test.py --show-dir``: one file for each sample."""

from types import SimpleNamespace

import numpy as np
import pytest
from mmengine.structures import BaseDataElement

from mmwsis.engine.hooks import CropPredictionVisualizationHook
from mmwsis.visualization.sheet import Tile


class Blank(CropPredictionVisualizationHook):
    """Draws the same for every sample."""

    def _tiles(self, runner, sample):
        return [Tile(np.zeros((8, 8, 3), np.uint8), '')]


def sample(path, **ids):
    return BaseDataElement(metainfo=dict(img_path=path, **ids))


@pytest.mark.parametrize(
    'samples, names',
    [
        # Whole images of one name in two folders.
        (
            [sample('a/1.jpg', img_id=7), sample('b/1.jpg', img_id=9)],
            ['1_7.png', '1_9.png'],
        ),
        # Objects of one image.
        (
            [sample('a/1.jpg', img_id=7, ann_id=i) for i in (3, 4)],
            ['1_3.png', '1_4.png'],
        ),
    ],
)
def test_no_picture_replaces_another(tmp_path, samples, names):
    hook = Blank(draw=True, test_out_dir='shown')
    runner = SimpleNamespace(work_dir=str(tmp_path), timestamp='now')
    hook.after_test_iter(runner, 0, outputs=samples)
    found = sorted(file.name for file in (tmp_path / 'now/shown').iterdir())
    assert found == names

"""The classifier's figure in training, and its images where there are no masks."""

import sys
from pathlib import Path

import pytest
import torch

from mmwsis.engine.run_config import load_run_config
from mmwsis.evaluation.metrics import TagAccuracyMetric
from mmwsis.registry import DATASETS

sys.path.insert(0, str(Path(__file__).parents[1] / 'pseudo_labels'))
from toy_scenes import draw_scenes

ROOT = Path(__file__).parents[2]


def metric():
    made = TagAccuracyMetric()
    made.dataset_meta = dict(classes=('owl', 'cat'))
    return made


def sample(image_id, tags, logits):
    return dict(img_id=image_id, tags=tags, pred_tag_logits=torch.tensor(logits))


def test_figures():
    made = metric()
    made.process(None, [sample(1, [0], [2.0, 1.0]), sample(2, [1], [1.0, 2.0])])
    made.process(None, [sample(3, [], [-1.0, -1.0]), sample(1, [0], [2.0, 1.0])])
    assert made.evaluate(3) == {
        'classifier/tag_mAP': 1.0,
        'classifier/all_right': pytest.approx(1 / 3),
    }


@pytest.mark.parametrize(
    'logits, message',
    [(None, 'image id 7: .* no pred_tag_logits'), ([0.0], 'image id 7: .* 2 finite')],
)
def test_logits_that_do_not_fit(logits, message):
    given = sample(7, [0], [0.0] if logits is None else logits)
    if logits is None:
        del given['pred_tag_logits']
    with pytest.raises(ValueError, match=message):
        metric().process(None, [given])


def test_without_val_a_share_of_the_training_images_is_kept_apart(tmp_path):
    draw_scenes(tmp_path, count=20)
    (tmp_path / 'data.py').write_text(
        f"data_spec = dict(name='toy', data_root={str(tmp_path)!r}, train=dict("
        "img='images/', weak=dict(image_tags='tags.json')))"
    )
    cfg = load_run_config(
        ROOT / 'configs/irnet/cam_r18_synthetic.py',
        dataset=tmp_path / 'data.py',
        cfg_options={'work_dir': str(tmp_path / 'wd')},
    )
    assert [one.type for one in cfg.val_evaluator] == ['mmwsis.TagAccuracyMetric']
    assert cfg.val_cfg is not None and cfg.held_out == 0.1
    train, val, label = (
        DATASETS.build(dict(cfg[f'{name}_dataloader'].dataset, _scope_='mmdet'))
        for name in ('train', 'val', 'pseudo_label')
    )
    names = [
        {data.get_data_info(i)['img_path'] for i in range(len(data))}
        for data in (train, val, label)
    ]
    assert [len(one) for one in names] == [18, 2, 20]
    assert not names[0] & names[1] and names[0] | names[1] == names[2]
    assert val.pipeline.transforms[1].scales == (1.5, 2.0)

# Weak panoptic on a few hundred photographs, a quarter of them with full labels:
#   python tools/run_pipeline.py configs/weak_panoptic/pipeline_semi_small.py --dataset FILE
_base_ = ['./pipeline_small.py', '../_base_/pipelines/weak_panoptic_semi.py']

pipeline = dict(
    name='weak_panoptic_semi_{data}',
    title='Weak panoptic on {title}, a quarter with full labels',
    without=_base_.without,
    changes=_base_.changes,
)

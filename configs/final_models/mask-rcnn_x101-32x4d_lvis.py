# Needs the `lvis` package.
_base_ = [
    'mmdet::lvis/mask-rcnn_x101-32x4d_fpn_sample1e-3_ms-1x_lvis-v1.py',
    '../data_specs/lvis.py',
    '../_base_/final_model_runtime.py',
]

visualizer = dict(
    vis_backends=[dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')]
)

_base_ = [
    'mmdet::solov2/solov2_r101-dcn_fpn_ms-3x_coco.py',
    '../data_specs/coco.py',
    '../_base_/final_model_runtime.py',
]

visualizer = dict(
    vis_backends=[dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')]
)

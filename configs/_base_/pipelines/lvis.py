# LVIS v1: its final model, and the twin trained on masks.
_base_ = ['../datasets/lvis.py', './stages.py']

final_model = dict(config='mask-rcnn_x101-32x4d_lvis.py')
final_test = dict(config='mask-rcnn_x101-32x4d_lvis.py')
full_supervision = dict(config='../fully_supervised/mask-rcnn_x101-32x4d_lvis.py')
full_test = dict(config='../fully_supervised/mask-rcnn_x101-32x4d_lvis.py')

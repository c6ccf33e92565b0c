# COCO: its final model, and the twin trained on masks.
_base_ = ['../datasets/coco.py', './stages.py']

final_model = dict(config='solov2_r50.py')
final_test = dict(config='solov2_r50.py')
full_supervision = dict(config='../fully_supervised/solov2_r50.py')
full_test = dict(config='../fully_supervised/solov2_r50.py')

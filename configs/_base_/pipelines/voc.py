# VOC 2012: its final model, and the twin trained on masks.
_base_ = ['../datasets/voc.py', './stages.py']

final_model = dict(config='solov2_r50_voc.py')
final_test = dict(config='solov2_r50_voc.py')
full_supervision = dict(config='../fully_supervised/solov2_r50_voc.py')
full_test = dict(config='../fully_supervised/solov2_r50_voc.py')

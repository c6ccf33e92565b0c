# The twin that retention divides by: differs in the annotation file alone.
_base_ = '../exits/solov2_r50.py'

train_dataloader = dict(dataset=dict(ann_file=_base_.data_spec.train.ann_file))
work_dir = 'work_dirs/fully_supervised/solov2_r50'

wsis = dict(method='FULL', supervision='masks', requires=[])

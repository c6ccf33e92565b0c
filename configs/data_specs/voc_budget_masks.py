# PASCAL VOC 2012 train within the budget of voc_budget.py, spent on masks: 122 images.
_base_ = './voc_train.py'

data_spec = dict(
    name='voc_budget_masks',
    train=dict(
        _delete_=True,
        ann_file='budget/masks_train.json',
        img=_base_.data_spec.train.img,
    ),
)

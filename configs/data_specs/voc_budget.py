# PASCAL VOC 2012 train within a budget (WISE, Table 2): what the 29,280 seconds that tags
# of all 1,464 images cost buy at each level, as annotation_budget.py draws it:
# docs/mixed_supervision.md. The 122 images with masks are voc_budget_masks.py.
_base_ = './voc_train.py'

data_spec = dict(
    name='voc_budget',
    train=dict(
        ann_file=None,  # no masks: other images would have them
        weak=dict(
            image_tags='budget/image_tags_train.json',
            points='budget/points_train.json',
            boxes='budget/boxes_train.json',
            extreme_points='budget/extreme_points_train.json',
        ),
    ),
)

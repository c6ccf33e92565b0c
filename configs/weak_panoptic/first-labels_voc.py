# The labels of the first round on PASCAL VOC: what boxes tell of objects, and background
# elsewhere. Its one stuff class needs no tags.
_base_ = './box-labels_voc.py'

model = dict(num_stuff_classes=1, test_cfg=dict(background=True))
artifact = 'panoptic_maps'
pseudo_label_dataloader = dict(dataset=dict(metainfo=_base_.metainfo))
wsis = dict(produces='data/voc/pseudo_labels/weak_panoptic_round0.json')

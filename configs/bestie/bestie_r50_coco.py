# The same on ResNet-50 with the decoders of Panoptic-DeepLab.
_base_ = ['./bestie_hrnet-w48_coco.py', '../_base_/models/panoptic-deeplab_r50.py']

model = dict(**_base_.panoptic_deeplab)

# SAM 2.1 prompted with boxes.
_base_ = './sam-vit-b_boxes_small.py'

model = dict(weights='facebook/sam2.1-hiera-small')

wsis = dict(produces='data/small/pseudo_labels/sam2.json')

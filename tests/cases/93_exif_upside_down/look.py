import cv2
import numpy as np

from mmwsis.registry import TRANSFORMS

load = TRANSFORMS.build(dict(type='mmwsis.LoadCachedImage'))
ours = load(dict(img_path='img/a.jpg', img_id=1))['img'].astype(int)
upright = cv2.imread('img/a.jpg')[..., ::-1]
print('same', ours.shape == upright.shape and np.abs(ours - upright).max() < 3)

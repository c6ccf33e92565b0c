import json, numpy as np
from pycocotools import mask as M

a = json.load(open('o.json'))['annotations'][0]
s = a['segmentation']
m = M.decode(s)
want = np.zeros((80, 120), np.uint8)
want[20, 11:13] = 1
want[21, 10:14] = 1
print(
    'same'
    if (m == want).all() and a['bbox'] == [10, 20, 4, 2] and a['area'] == 6
    else f'other: {np.argwhere(m).tolist()} {a["bbox"]} {a["area"]}'
)

"""The mask has exactly the pixels of the XML's runs: two in row 20, four in row 21."""

import json
from pathlib import Path

import numpy as np
from pycocotools import mask

annotation = json.loads(Path('o.json').read_text())['annotations'][0]
pixels = mask.decode(annotation['segmentation'])
expected = np.zeros((80, 120), np.uint8)
expected[20, 11:13] = 1
expected[21, 10:14] = 1
box, area = annotation['bbox'], annotation['area']
same = np.array_equal(pixels, expected) and box == [10, 20, 4, 2] and area == 6
print('same' if same else f'other: {np.argwhere(pixels).tolist()} {box} {area}')

"""Selective search of opencv-contrib, for a Python that has it: paths in, boxes out.

bench_proposal_generator.py runs it. A line of the input is the path of an image, a
line of the output a JSON: boxes as x, y, width, height, in the order that the library
gives them, and the seconds that it took.
"""

import json
import sys
import time

import cv2


def main() -> None:
    """Answer every line; the first argument is the number of threads, 0 for all."""
    if int(sys.argv[1]):
        cv2.setNumThreads(int(sys.argv[1]))
    for line in sys.stdin:
        image = cv2.imread(line.rstrip('\n'))
        cpu, wall = time.process_time(), time.perf_counter()
        search = cv2.ximgproc.segmentation.createSelectiveSearchSegmentation()
        search.setBaseImage(image)
        search.switchToSelectiveSearchQuality()
        boxes = search.process().tolist()
        used = [time.process_time() - cpu, time.perf_counter() - wall]
        print(json.dumps(dict(boxes=boxes, seconds=used)), flush=True)


if __name__ == '__main__':
    main()

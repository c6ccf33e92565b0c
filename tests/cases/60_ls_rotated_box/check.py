import json

b = [a['bbox'] for a in json.load(open('o.json'))['annotations']]
want = [[200, 100, 300, 100], [100, 100, 100, 300], [100, 100, 100, 300]]
print('same' if b == want else b)

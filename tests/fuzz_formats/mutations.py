"""Bytes and JSON, changed at random; ``rng`` is a ``random.Random``."""

import copy

ODD_NUMBERS = (
    0, 1, -1, 2, 3, 7, 255, 256, 65535, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**53, 2**63 - 1, 2**63,
    2**64, 2**128, 10**40, -(2**63), 0.0, -0.0, 0.5, 1.0, 1e-320, 1e308, float("inf"), float("nan"),
)  # fmt: skip
ODD = (None, True, False, "", "a", "\ud800", "é" * 40, "x" * 5000, [], {}, [[]], {"": None})


def bytes_changed(rng, data, others=()):
    """The bytes with one to four changes."""
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        at, size = rng.randrange(len(data) + 1), 1 << rng.randrange(8)
        match rng.randrange(8):
            case 0 if at < len(data):
                data[at] ^= 1 << rng.randrange(8)
            case 1 if at < len(data):
                data[at] = rng.choice((0, 1, 8, 0x7F, 0x80, 0xFF, rng.randrange(256)))
            case 2:
                del data[at : at + size]
            case 3:
                data[at:at] = rng.randbytes(size)
            case 4:
                data[at:at] = data[at : at + size]
            case 5:
                del data[at:]
            case 6:
                width, order = rng.choice((1, 2, 4, 8)), rng.choice(("little", "big"))
                number = rng.choice((0, 1, -1, 1 << 31, 1 << 16, len(data), at)) % (1 << 8 * width)
                data[at : at + width] = number.to_bytes(width, order)
            case 7 if others:
                other = rng.choice(others)
                start = rng.randrange(len(other) + 1)
                data[at : at + size] = other[start : start + size]
    return bytes(data)


def tree_changed(rng, tree):
    """A copy of what JSON holds with one to four changes, at any depth; no part is there twice."""
    tree = [copy.deepcopy(tree)]
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        places = list(_places(tree))
        parent, key = rng.choice(places)
        value = parent[key]
        match rng.randrange(9):
            case 0:
                parent[key] = copy.deepcopy(rng.choice(ODD))
            case 1 | 2:
                is_number = _is_number(value)
                parent[key] = number_changed(rng, value) if is_number else rng.choice(ODD_NUMBERS)
            case 3 if parent is not tree:
                del parent[key]
            case 4:
                other, other_key = rng.choice(places)
                parent[key] = copy.deepcopy(other[other_key])
            case 5 if isinstance(parent, dict):
                parent[rng.choice(("", "more", "crc", key + "s"))] = parent.pop(key)
            case 6 if isinstance(parent, list) and parent is not tree:
                parent[key:key] = [copy.deepcopy(value) for _ in range(rng.choice((1, 1, 2, 50)))]
            case 7 if isinstance(value, list):
                rng.shuffle(value)
            case 8:
                for _ in range(rng.choice((1, 2, 90, 101))):
                    value = [value] if rng.random() < 0.5 else {"a": value}
                parent[key] = value
    return tree[0]


def number_changed(rng, value):
    """Another number, near or far."""
    near = [value + 1, value - 1, -value, value * 2, value / 2, bool(value)]
    near += [float(value)] if abs(value) < 1e300 else []
    near += [value ^ (1 << rng.randrange(128))] if isinstance(value, int) else []
    return rng.choice((rng.choice(near), rng.choice(ODD_NUMBERS)))


def _is_number(value):
    return isinstance(value, int | float) and not (isinstance(value, int) and abs(value) > 2**900)


def _places(tree):
    """Pairs of a list or dict and a key of it: everything inside."""
    todo = [tree]
    while todo:
        parent = todo.pop()
        for key, value in parent.items() if isinstance(parent, dict) else enumerate(parent):
            yield parent, key
            if isinstance(value, list | dict):
                todo.append(value)

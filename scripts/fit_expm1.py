"""Fit the polynomials of ``rnnlite/kernels/activations.py``.

    python scripts/fit_expm1.py

The polynomial p of a given degree that approximates expm1(r)/r on
|r| <= ln(2)/2 with the smallest largest relative error, by Remez' exchange
algorithm: the error of the best polynomial reaches its largest size with
alternating sign in degree + 2 points; solve for such a polynomial, move the
points to where the error is really largest, repeat.  Needs mpmath.
"""

import mpmath as mp

mp.mp.dps = 50
EDGE = mp.log(2) / 2 * mp.mpf("1.0001")
GRID = 400


def target(r):
    """expm1(r) / r."""
    return mp.expm1(r) / r if r else mp.mpf(1)


def error(coefficients, r):
    """Relative error of the polynomial at r."""
    return mp.polyval(coefficients[::-1], r) / target(r) - 1


def level(points, degree):
    """The polynomial whose relative error alternates with equal size over the points."""
    n = degree + 2
    matrix, values = mp.matrix(n, n), mp.matrix(n, 1)
    for i, r in enumerate(points):
        for j in range(degree + 1):
            matrix[i, j] = r**j
        matrix[i, degree + 1] = (-1) ** i * target(r)
        values[i] = target(r)
    return list(mp.lu_solve(matrix, values))[: degree + 1]


def extremes(coefficients):
    """Points of a grid where the error is largest, one for each run of equal sign."""
    points = []
    for i in range(GRID + 1):
        r = EDGE * (mp.mpf(2 * i) / GRID - 1)
        e = error(coefficients, r)
        if points and (points[-1][1] > 0) == (e > 0):
            if abs(e) > abs(points[-1][1]):
                points[-1] = (r, e)
        else:
            points.append((r, e))
    return [r for r, _ in points]


def remez(degree, rounds=12):
    """Coefficients, lowest first, and the largest relative error on the grid."""
    n = degree + 2
    points = [-EDGE * mp.cos(mp.pi * (2 * i + 1) / (2 * n)) for i in range(n)]
    for _ in range(rounds):
        coefficients = level(points, degree)
        found = extremes(coefficients)
        if len(found) < n:
            break
        points = found[:n]
    return coefficients, max(abs(error(coefficients, r)) for r in extremes(coefficients))


if __name__ == "__main__":
    for name, degree in (("float32", 5), ("float64", 11)):
        coefficients, largest = remez(degree)
        print(f"{name}: relative error {mp.nstr(largest, 3)}")
        for power, coefficient in enumerate(coefficients):
            print(f"  r^{power:<2} {mp.nstr(coefficient, 20)}")

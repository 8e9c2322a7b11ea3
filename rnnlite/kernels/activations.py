"""tanh, sigmoid and relu of a vector register, accurate to a few units in the last place.

``math.tanh`` stays a call for each number (7 ns); these are about twenty multiply-adds and one
division for a whole register.  They rest on expm1(y) = e^y - 1, which stays accurate near zero,
where e^y - 1 would cancel:

    tanh(x)    = (e^2x - 1) / (e^2x + 1)  = E / (E + 2)   with E = expm1(2x)
    sigmoid(x) = 1 / (1 + e^-x)           = 1 / (E + 2)   with E = expm1(-x)

and expm1 on a polynomial over a short interval, since every y is n ln 2 + r with a whole number n
and |r| <= ln(2)/2:

    expm1(y) = 2^n e^r - 1 = 2^n expm1(r) + (2^n - 1)        expm1(y) + 2 = 2^n expm1(r) + (2^n + 1)

Its terms go in pairs: (c0 + c1 r) and (c2 + c3 r) are computed side by side, then put together by
powers of r^2.  With one power of r after the other there are as many multiply-adds, but each waits
for the one before.

The polynomials are minimax fits, relative error 1.1e-8 (float32) and 2.4e-19 (float64), made by
``scripts/fit_expm1.py``.
"""

from rnnlite.kernels.jit import inner
from rnnlite.kernels.simd import as_number, clip, is_double, power_of_two, whole_part

INFINITY = float("inf")
LOG2_E = 1.4426950408889634
# ln 2 in two parts; the first has so few bits that n * LN2_HIGH is exact.
LN2_HIGH_32, LN2_LOW_32 = 0.693359375, -2.12194440054690583e-4
LN2_HIGH_64, LN2_LOW_64 = 6.93147180369123816490e-01, 1.90821492927058770002e-10


@inner
def _split(x, sign):
    """expm1(r) and 2^n of sign x = n ln 2 + r."""
    shifted = whole_part(x, sign * LOG2_E)
    n = as_number(shifted)
    if is_double(x):
        r = x * sign - n * LN2_HIGH_64 - n * LN2_LOW_64
        q = r * r
        p = q * 2.0876862794868878408e-9 + (r * 2.5109973697746792347e-8 + 2.7557399574775760938e-7)
        p = p * q + (r * 2.7557241113840343014e-6 + 2.4801587172806064904e-5)
        p = p * q + (r * 1.9841269889838575813e-4 + 1.3888888888965007193e-3)
        p = p * q + (r * 8.3333333333196913477e-3 + 4.1666666666666492627e-2)
        p = p * q + (r * 0.16666666666666680668 + 0.50000000000000000109)
    else:
        r = x * sign - n * LN2_HIGH_32 - n * LN2_LOW_32
        q = r * r
        p = q * 1.3888879225514471689e-3 + (r * 8.3690758050871738123e-3 + 4.1667136323386815823e-2)
        p = p * q + (r * 0.16666506154584412890 + 0.49999998123643534210)
    p = p * q + r
    return p, power_of_two(shifted)


@inner
def tanh(x):
    """Hyperbolic tangent; NaN stays NaN, beyond +-20 the result is +-1 exactly."""
    p, scale = _split(clip(x * 2.0, -40.0, 40.0), 1.0)
    e = p * scale + (scale - 1.0)
    return e / (e + 2.0)


@inner
def sigmoid(x):
    """Logistic function 1 / (1 + e^-x); below -87 (float32) it no longer decreases."""
    limit = 708.0 if is_double(x) else 87.0
    p, scale = _split(clip(x, -limit, limit), -1.0)
    return 1.0 / (p * scale + (scale + 1.0))


@inner
def relu(x):
    """The larger of x and 0; NaN stays NaN."""
    return clip(x, 0.0, INFINITY)


@inner
def exp(x):
    """e^x, at most e^87 (float32) or e^708 (float64), at least the inverse of that."""
    limit = 708.0 if is_double(x) else 87.0
    p, scale = _split(clip(x, -limit, limit), 1.0)
    return p * scale + scale


@inner
def log1p(u):
    """log(1 + u) for 0 <= u <= 1, which keeps its digits where u is almost 0.

    With s = u / (2 + u), at most 1/3, it is 2 artanh(s) = 2 (s + s^3 / 3 + s^5 / 5 + ...).
    """
    s = u / (u + 2.0)
    q = s * s
    if is_double(u):
        p = q * (1 / 33) + 1 / 31
        p = p * q + 1 / 29
        p = p * q + 1 / 27
        p = p * q + 1 / 25
        p = p * q + 1 / 23
        p = p * q + 1 / 21
        p = p * q + 1 / 19
        p = p * q + 1 / 17
        p = p * q + 1 / 15
    else:
        p = q * (1 / 17) + 1 / 15
    p = p * q + 1 / 13
    p = p * q + 1 / 11
    p = p * q + 1 / 9
    p = p * q + 1 / 7
    p = p * q + 1 / 5
    p = p * q + 1 / 3
    return s * 2.0 + s * 2.0 * (q * p)

"""Mistakes with gradients as a whole: checking them, following them, cutting them off."""

from rnnlite.mistakes.mistake import listed

CHECK = "rnnlite/gradcheck; Bishop 2006, section 5.3.3"
VANISHING = "Bengio, Simard & Frasconi 1994; Pascanu, Mikolov & Bengio 2013, equation 5"
TRUNCATED = "Williams & Peng 1990; Sutskever 2013, section 2.8.6"

METHODS = (
    *listed("numeric_gradient", CHECK, [
        ("check-forward-difference", "x[place] = value - eps", "x[place] = value",
         "f(x) had been taken for f(x - eps)",
         "One-sided differences are wrong by the order of eps, central ones by eps^2."),
        ("check-half-forgotten", "gradient[place] = (above - below) / (2 * eps)",
         "gradient[place] = (above - below) / eps",
         "the difference had been divided by eps, not by 2 eps",
         "x + eps and x - eps lie 2 eps apart."),
        ("check-sign", "gradient[place] = (above - below) / (2 * eps)",
         "gradient[place] = (below - above) / (2 * eps)",
         "the difference had been taken the other way round",
         "Where f grows with x its derivative is positive: f(x + eps) - f(x - eps)."),
    ]),
    *listed("gradient_norms", VANISHING, [
        ("norms-no-slope", "dz = dh * (1 - h[:, t + 1] ** 2)", "dz = dh",
         "the derivative of tanh had been left out",
         "h_{t+1} = tanh(z): its slope 1 - h^2 is a factor of every step back."),
        ("norms-slope-of-h-before", "dz = dh * (1 - h[:, t + 1] ** 2)",
         "dz = dh * (1 - h[:, t] ** 2)",
         "the slope had been taken at h_t, the state before the step",
         "tanh' belongs to the step from h_t to h_{t+1}, which gave h_{t+1}."),
        ("norms-Wh-not-transposed", "dh = dz @ Wh.T", "dh = dz @ Wh",
         "Wh had been used on the way back without its transpose",
         "Forward h multiplies Wh; backward dz multiplies its transpose."),
        ("norms-squared", "norms[t] = np.linalg.norm(dh)", "norms[t] = np.sum(dh**2)",
         "the square root of the norm had been forgotten",
         "The norm is the root of the sum of squares."),
    ]),
    *listed("truncated_backward", TRUNCATED, [
        ("truncated-state-lost", "states = h[:, start : start + window + 1]",
         "states = h[:, start : start + window + 1] * (np.arange(window + 1) > 0)"
         "[: h.shape[1] - start, None]",
         "the state had been set to zero at each border",
         "Only the gradient is cut off there: the state goes on, which is the point of it."),
        ("truncated-last-window-alone", "dWh += d[1]", "dWh = d[1]",
         "dWh were that of the last window alone, for want of a +=",
         "Every window has its share of the gradient."),
        ("truncated-averaged", "dWh += d[1]", "dWh += d[1] / -(-x.shape[1] // window)",
         "dWh had been averaged over the windows",
         "The loss is a sum over all steps, so its gradient is the sum over the windows."),
    ]),
)  # fmt: skip

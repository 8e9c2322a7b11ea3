"""Is this gradient right?  Central differences against backward, number by number.

The derivative of a loss L by one number p is estimated by moving it a little both ways,

    dL/dp = (L(p + step) - L(p - step)) / (2 step),

and compared with what ``backward`` says.  In float64 the two agree to about ten digits if the
derivative is right, and to two or three if a term is missing somewhere.  What is compared is
backward with forward: a wrong forward cannot be noticed.

    layer.py         check: every gradient of a layer, a model, or an object of your own
    equations.py     check_equations: a single step of a cell
    subject.py       what is checked: its arrays, its loss, what backward says
    differences.py   one array against central differences
    report.py        what comes out
"""

from rnnlite.gradcheck.differences import STEP, TOLERANCE
from rnnlite.gradcheck.equations import check_equations
from rnnlite.gradcheck.layer import check
from rnnlite.gradcheck.report import ArrayReport, Report

__all__ = ["STEP", "TOLERANCE", "ArrayReport", "Report", "check", "check_equations"]

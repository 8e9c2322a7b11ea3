"""Is this gradient right?  Central differences against backward, number by number.

The derivative of a loss L by one number p is estimated by moving it a little both ways,

    dL/dp = (L(p + step) - L(p - step)) / (2 step),

and compared with what ``backward`` says.  In float64 the two agree to about ten digits if the
derivative is right, and to two or three if a term is missing somewhere.  What is compared is
backward with forward: a wrong forward cannot be noticed.  If backward is wrong, its numbers are
compared with what each mistake of ``rnnlite.mistakes`` would have given.

    layer.py         check: every gradient of a layer, a model, or an object of your own
    equations.py     check_equations: a single step of a cell
    subject.py       what is checked: its arrays, its loss, what backward says
    differences.py   one array against central differences
    report.py        what comes out
    naming.py        which mistakes would have given the numbers of a run that is wrong
    runs.py          what each part of a model was given in a run, and what it answered
    twins.py         what the catalogue's functions would have answered instead
    layouts.py       which of somebody's numbers are Wx, Wh and b
"""

from rnnlite.gradcheck.differences import STEP, TOLERANCE
from rnnlite.gradcheck.equations import check_equations
from rnnlite.gradcheck.layer import check
from rnnlite.gradcheck.report import ArrayReport, Report

__all__ = ["STEP", "TOLERANCE", "ArrayReport", "Report", "check", "check_equations"]

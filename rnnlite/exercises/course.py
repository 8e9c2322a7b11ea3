"""All exercises, in the order in which a course follows."""

from rnnlite.exercises import functions as f
from rnnlite.exercises.by_hand import ADDER, COUNTER, LATCH
from rnnlite.exercises.find_bug import find_bug
from rnnlite.exercises.functions import function_exercise
from rnnlite.exercises.own_cell import OWN_CELL
from rnnlite.exercises.predict import PREDICT

STEP_GRADIENTS = ("dx", "dh_before", "dWx", "dWh", "db")

FUNCTIONS = (
    function_exercise(
        "rnn_step", "one step of a recurrent network",
        """
    z = x_t Wx + h_{t-1} Wh + b
    h_t = tanh(z)

Rows of x and h are sequences of a batch: x (B, I), h (B, H).
""",
        "h_new", f.steps,
        ("x @ Wx is (B, H), and so is h @ Wh.", "b is added to every row."),
        "The state h carries what was read so far: the same weights at every step.",
    ),
    function_exercise(
        "rnn_forward", "the loop over time",
        """
    h_0 is given;  h_t = step(x_t, h_{t-1});  y_t = h_t

Return y (B, T, H) and all states h (B, T + 1, H), h_0 first: backward needs them.
``rnn_step`` is given.  Leave ``lengths``, of a later exercise, and ``relu`` unused.
""",
        ("y", "h"), f.sequences,
        ("np.zeros((B, T + 1, H)) has room for h_0 too.",
         "Step t reads h[:, t], writes h[:, t + 1]."),
        "Unrolled in time, a recurrent network is a deep one whose layers share their weights.",
        given=("rnn_step",),
    ),
    function_exercise(
        "rnn_step_backward", "the derivative of one step",
        """
    dz = dh tanh'(z), and tanh'(z) = 1 - tanh(z)^2 = 1 - h_t^2
    dx = dz Wx^T,  dh_before = dz Wh^T
    dWx = x^T dz,  dWh = h_{t-1}^T dz,  db = sum of dz over the rows

h is the state before the step, h_new the one after it.
""",
        STEP_GRADIENTS, f.steps_back,
        ("Which of h and h_new is tanh(z)?", "Shapes help: dWx is (I, H), x (B, I) and dz (B, H).",
         "One bias for all rows: their gradients add up."),
        "Each factor of z gets dz times the other factor: twice the same rule, for x and for h.",
    ),
    function_exercise(
        "rnn_backward", "backpropagation through time",
        """
From the last step to the first:

    dL/dh_t = dy_t + what came back from step t + 1
    the step's derivative gives dx_t, what goes back to step t - 1, and its share of dWx, dWh, db

Start with dhT, dL/dh_T from outside.  Return dx, dWx, dWh, db and dh0.
``rnn_step_backward`` is given.  Leave ``lengths``, of a later exercise, and ``relu`` unused.
""",
        ("dx", "dWx", "dWh", "db", "dh0"), f.sequences_back,
        ("h_t has two readers: the output y_t and step t + 1.",
         "All steps share Wx: dWx is a sum over them, so +=.",
         "Step t goes from h[:, t] to h[:, t + 1]."),
        "BPTT is backpropagation in the unrolled network: gradients of shared weights add up.",
        given=("rnn_step_backward",),
    ),
    function_exercise(
        "numeric_gradient", "a gradient check of your own",
        """
    dL/dx_k = (f(x + eps e_k) - f(x - eps e_k)) / (2 eps)

for every number of x, one after the other.  The error is of the order eps^2 (central differences);
with f(x + eps) - f(x) it would be of the order eps.  x must be as it was at the end.
""",
        "gradient", f.checked_functions,
        ("np.ndindex(x.shape) runs over all places of an array of any shape.",
         "Put each number back before you go on to the next."),
        "With this you can check every gradient you will ever write: rnnlite.gradcheck does it.",
        tolerance=1e-7,
    ),
    function_exercise(
        "gradient_norms", "why the gradient vanishes: measure it",
        """
The loss sees the last state alone.  Going back one step multiplies the gradient by tanh' and Wh^T:

    dL/dh_t = (dL/dh_{t+1} (1 - h_{t+1}^2)) Wh^T

Return the norm of dL/dh_t, all rows together, for t = 0 ... T (Bengio et al. 1994, Pascanu 2013).
""",
        "norms", f.vanishing,
        ("norms[T] is the norm of dhT itself.",
         "np.linalg.norm of a matrix is that of all its numbers."),
        "T factors below one are a small number: what was read long ago gets hardly any gradient.",
    ),
    function_exercise(
        "clip_gradients", "clipping the norm of a gradient",
        """
    n = the norm of all gradients together: root of the sum of all squares
    where n > max_norm:  every g becomes g max_norm / n

Return a list of arrays (Pascanu, Mikolov & Bengio 2013, algorithm 1).
""",
        lambda wanted: tuple(f"grads[{n}]" for n in range(len(wanted))), f.gradients,
        ("One norm over all arrays, not one for each.",
         "A gradient below the bound stays as it is."),
        "Clipping shortens a step and keeps its direction: one cliff does not end the training.",
    ),
    function_exercise(
        "lstm_step", "one step of an LSTM",
        """
    z = x_t Wx + h_{t-1} Wh + b, cut into z_i, z_f, z_g, z_o in this order
    i, f, o = sigmoid(z_i), sigmoid(z_f), sigmoid(z_o);  g = tanh(z_g)
    c_t = f c_{t-1} + i g
    h_t = o tanh(c_t)

Return h_t, c_t and the tuple (i, f, g, o).  Hochreiter & Schmidhuber 1997, Gers et al. 2000.
""",
        ("h_new", "c_new", ("i", "f", "g", "o")), f.lstm_steps,
        ("np.split(z, 4, axis=1) cuts z.",
         "The candidate g alone is a tanh; gates are between 0 and 1."),
        "The cell state is changed by gates, not by a product with weights: it can stay.",
    ),
    function_exercise(
        "lstm_step_backward", "the derivative of that step",
        """
Each line of the step, from the last to the first:

    h_t = o tanh(c_t):        do = dh tanh(c_t),   dc += dh o (1 - tanh(c_t)^2)
    c_t = f c_{t-1} + i g:    df = dc c_{t-1},  di = dc g,  dg = dc i,  dc_before = dc f
    i = sigmoid(z_i), ...:    dz_i = di i (1 - i), ...;  dz_g = dg (1 - g^2)

then as in the RNN, with dz = (dz_i, dz_f, dz_g, dz_o) side by side.
Return dx, dh_before, dc_before, dWx, dWh, db.
""",
        ("dx", "dh_before", "dc_before", "dWx", "dWh", "db"), f.lstm_steps_back,
        ("c_t has two readers: h_t, and step t + 1.", "c is before the step, c_new after it.",
         "np.hstack puts the four dz side by side."),
        "dc goes back multiplied by f alone: where the forget gate is open, nothing fades.",
    ),
    function_exercise(
        "lstm_backward", "BPTT through an LSTM",
        """
As ``rnn_backward``, with two states: dh and dc both go from step t + 1 to step t.
Return dx, dWx, dWh, db, dh0 and dc0.
``lstm_step_backward`` is given.  ``lengths`` may stay unused until a later exercise.
""",
        ("dx", "dWx", "dWh", "db", "dh0", "dc0"), f.lstm_sequences_back,
        ("dy is added to dh, not to dc.", "c[:, t] is before step t, c[:, t + 1] after it."),
        "Two states, two gradients: this is all that training an LSTM needs.",
        given=("lstm_step_backward",),
    ),
    function_exercise(
        "lengths", "lengths and padding",
        """
Rows of a batch are filled up to one length.  Past a row's length its state stays as it was, its
output is zero, and whatever x holds there, NaN even, takes no part.

Return y (B, T, H) and all states h (B, T + 1, H), as in the exercise rnn_forward.
""",
        ("y", "h"), f.padded,
        ("np.where(valid[:, None], new, old) chooses row by row.",
         "NaN times 0 is NaN: padding cannot be multiplied away."),
        "Padding is not data: it is decided row by row, never multiplied by zero.",
        given=("rnn_step",), subject="rnn_forward",
    ),
    function_exercise(
        "lengths_backward", "backpropagation through rows of different length",
        """
A padded step computed nothing: no gradient of its output, none for any weight, none for its x.  The
state went through it unchanged, and so does dL/dh on its way back.  ``rnn_step_backward`` is given.
""",
        ("dx", "dWx", "dWh", "db", "dh0"), f.padded_back,
        ("dhT belongs to the last valid step, and passes straight through the padding.",
         "np.where(valid[:, None], x[:, t], 0): x may hold NaN, and x^T dz multiplies it."),
        "What is not computed forward has no gradient; what is carried forward carries it back.",
        given=("rnn_step_backward",), subject="rnn_backward",
    ),
    function_exercise(
        "masked_mean", "a loss that leaves padding out",
        """
    L = sum of the losses of the valid steps / number of valid steps

Return L and dL/dlosses (B, T), which is zero in the padding.
""",
        ("loss", "dlosses"), f.losses_of_steps,
        ("np.arange(T) < lengths[:, None] is True at valid steps.",
         "The mean is over the valid steps, not over B T."),
        "Who divides by B T trains short rows too little, and the loss depends on the padding.",
    ),
    function_exercise(
        "truncated_backward", "truncated backpropagation through time",
        """
A long sequence is cut into windows of some steps.  The state goes on from window to window, the
gradient does not: each window begins its way back with zero, and all weights' gradients add up.
``rnn_backward`` is given.  h (B, T + 1, H) holds all states, h_0 first.
""",
        ("dWx", "dWh", "db"), f.windows,
        ("A window of steps start ... end has the states h[:, start : end + 1].",
         "What comes back at the end of a window, dhT, is zero."),
        "What a truncated gradient leaves out is all that acts over more steps than a window has.",
        given=("rnn_backward",),
    ),
    function_exercise(
        "softmax_cross_entropy", "the loss of a classifier, and its gradient",
        """
    p = softmax(logits): p_k = exp(logits_k) / sum_j exp(logits_j)
    L = mean over the rows of -log p[label]
    dL/dlogits = (p - q) / B, where q is one at the label and zero elsewhere

Return both.  exp(1000) is infinite: subtract the largest logit of a row first, which changes no p.
""",
        ("loss", "dlogits"), f.two_labels,
        ("np.eye(classes)[labels] makes q.",
         "keepdims=True keeps the axis, so that (B, C) - (B, 1) works.",
         "The mean over the rows is in the loss, so 1 / B is in its gradient, once."),
        "The gradient of softmax and cross-entropy together is p - q: where the network should be "
        "surer, how much.",
    ),
    function_exercise(
        "adam_step", "a step of Adam",
        """
    m = beta1 m + (1 - beta1) g,      v = beta2 v + (1 - beta2) g^2
    m^ = m / (1 - beta1^t),           v^ = v / (1 - beta2^t)
    p = p - lr m^ / (sqrt(v^) + eps)

Return the new p, m and v (Kingma & Ba 2015, algorithm 1).
""",
        ("p", "m", "v"), f.adam_steps,
        ("eps stands outside the root.",
         "m and v themselves are not corrected: m^ and v^ are new."),
        "m and v begin at zero, v for longer: without the correction the first steps are too long.",
    ),
    function_exercise(
        "dropout_forward", "dropout that is the same at every step",
        """
    mask = 0 where draws < rate, else 1 / (1 - rate)
    y = x mask, in training; else y = x

x is (B, T, H), and so are the draws; each row uses the draws of its first step at all steps (Gal &
Ghahramani 2016).
""",
        "y", f.dropped,
        ("draws[:, :1] keeps the time axis, of length one.",
         "1 / (1 - rate) keeps the mean of what is passed on."),
        "With another mask at every step a unit could hold nothing over time.",
    ),
    function_exercise(
        "gru_step", "one step of a GRU",
        """
    (x_r, x_z, x_n) = x_t Wx + b,   (h_r, h_z, h_n) = h_{t-1} Wh + bh
    r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
    n = tanh(x_n + r h_n)
    h_t = (1 - z) n + z h_{t-1}

Return h_t and the tuple (r, z, n, h_n).  Cho et al. 2014, in the form of cuDNN.
""",
        ("h_new", ("r", "z", "n", "h_n")), f.gru_steps,
        ("The reset gate acts after the product with Wh.", "z keeps the old state, 1 - z takes n."),
        "One gate does the work of two: what is not kept is replaced.",
    ),
    function_exercise(
        "gru_step_backward", "the derivative of that step",
        """
Each line of the step, from the last to the first.  Side by side, what goes back to x's products is
(da_r, da_z, da_n), and what goes back to h's is (da_r, da_z, da_n r).
Return dx, dh_before, dWx, dWh, db, dbh.
""",
        ("dx", "dh_before", "dWx", "dWh", "db", "dbh"), f.gru_steps_back,
        ("h_{t-1} has two readers: h_t = ... + z h_{t-1}, and the product.",
         "r multiplies h_n, so dr = da_n h_n."),
        "Now you have written the derivatives of all three cells.",
    ),
)  # fmt: skip
# Functions without lengths of rows, in which a bug may be planted.
GROUND = {
    "rnn_step_backward", "rnn_backward", "lstm_step", "lstm_step_backward", "gru_step_backward",
    "adam_step",
}  # fmt: skip
FIND_BUG = find_bug([exercise for exercise in FUNCTIONS if exercise.name in GROUND])
EXERCISES = (*FUNCTIONS, OWN_CELL, LATCH, COUNTER, ADDER, FIND_BUG, PREDICT)
BY_NAME = {exercise.name: exercise for exercise in EXERCISES}

# What an exercise needs: said at the end of the one before it.
NEEDS = {
    "rnn_step": "matrix products of arrays, x @ W",
    "rnn_forward": "a loop that keeps every state",
    "rnn_step_backward": "the chain rule, and the slope of tanh, 1 - tanh^2",
    "rnn_backward": "that gradients of whatever is used twice add up",
    "numeric_gradient": "what a derivative is: a difference over a distance",
    "gradient_norms": "the way back of rnn_backward, and the norm of a matrix",
    "clip_gradients": "one norm over several arrays",
    "lstm_step": "the sigmoid, and arrays cut into four",
    "lstm_step_backward": "the slope of the sigmoid, s (1 - s); each line of the step, backwards",
    "lstm_backward": "the loop of rnn_backward, with a second state",
    "lengths": "np.where, which chooses row by row",
    "lengths_backward": "what lengths did forward, read backwards",
    "masked_mean": "a count of the valid steps",
    "truncated_backward": "rnn_backward, given, over pieces of a sequence",
    "softmax_cross_entropy": "the derivative of log and exp",
    "adam_step": "running means that begin at zero",
    "dropout_forward": "what a mean over random zeros is",
    "gru_step": "two products, one of x and one of h",
    "gru_step_backward": "the rule for whatever has two readers",
    "own_cell": "your derivative of a gate, as for the LSTM",
    "latch": "what each gate does to the cell state",
    "counter": "how long 0.999 lasts",
    "adder": "how one adds on paper, with a carry",
    "find_bug": "all of the above, read slowly",
    "predict": "nothing but courage",
}

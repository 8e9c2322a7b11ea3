"""The library's mathematics in plain NumPy: one screen a function, one comment an equation.

The twin of ``rnnlite.functional``: the same names, signatures and results, but the loop over
time is a Python loop, made to be read, stepped through and trusted, not to be fast.

    rnn                   h_t = tanh(z): the smallest of them; begin here
    lstm, peephole_lstm   gates and a cell state; gates that see the cell state
    gru, gru_2014         one state and two gates; reset after or before the product
    dense, cross_entropy  from hidden states to a loss
    adam                  from gradients to better parameters
    activations, arrays   what the cells share, and what stands between Dense layers; shapes, dtypes
    layer_norm            rows to mean 0 and variance 1
    bfloat16              what products do with ``compute_dtype="bfloat16"``; else ``rounded`` in
                          the cells does nothing

Notation
--------
B rows (sequences) in a batch, T time steps, I input features, H hidden units, C classes::

    x (B, T, I)           input              Wx (I, K H)   input weights
    h (B, T, H)           hidden states      Wh (H, K H)   recurrent weights
    h0, c0, hT, cT (B, H) first, last state  b, bh (K H,)  biases

K gates are stacked on the last axis: i, f, g, o (LSTM, K = 4), r, z, n (GRU, K = 3), one for the
RNN.  ``dv`` is dL/dv, the gradient of the loss with respect to ``v``.  σ is the logistic function,
σ' = σ (1 - σ); tanh' = 1 - tanh².  Products of gates are elementwise.

The states of all steps live in one array of T + 1 slots: slot 0 is the initial state, and step t
reads slot t and writes slot t + 1, so that the first step is no special case.

``lengths`` (B,) says how many steps of each row are valid, 0..T.  In the padding behind them
outputs are zero, the state is carried through unchanged and every gradient is zero, whatever
``x`` and ``dh`` hold there.  Results are float64 if an argument of forward is, else float32.

Sources
-------
- Hochreiter & Schmidhuber 1997, "Long short-term memory", Neural Computation 9(8); its forget
  gate: Gers, Schmidhuber & Cummins 2000, "Learning to forget", 12(10); its peepholes: Gers &
  Schmidhuber 2000, "Recurrent nets that time and count", IJCNN
- Elman 1990, "Finding structure in time", Cognitive Science 14(2)
- Cho et al. 2014, "Learning phrase representations using RNN encoder-decoder", EMNLP
- Kingma & Ba 2015, "Adam: a method for stochastic optimization", ICLR, algorithm 1
"""

from rnnlite.reference.activations import activation_backward, activation_forward, sigmoid
from rnnlite.reference.adam import adam_step
from rnnlite.reference.bfloat16 import to_bfloat16
from rnnlite.reference.cross_entropy import softmax_cross_entropy
from rnnlite.reference.dense import DenseGradients, dense_backward, dense_forward
from rnnlite.reference.gru import GRUGradients, gru_backward, gru_forward
from rnnlite.reference.layer_norm import (
    LayerNormGradients,
    layer_norm_backward,
    layer_norm_forward,
)
from rnnlite.reference.lstm import LSTMGradients, lstm_backward, lstm_forward
from rnnlite.reference.peephole_lstm import PeepholeLSTMGradients
from rnnlite.reference.rnn import RNNGradients, rnn_backward, rnn_forward

__all__ = [
    "DenseGradients", "GRUGradients", "LSTMGradients", "LayerNormGradients",
    "PeepholeLSTMGradients", "RNNGradients", "activation_backward", "activation_forward",
    "adam_step", "dense_backward", "dense_forward", "gru_backward", "gru_forward",
    "layer_norm_backward", "layer_norm_forward", "lstm_backward", "lstm_forward", "rnn_backward",
    "rnn_forward", "sigmoid", "softmax_cross_entropy", "to_bfloat16",
]  # fmt: skip

"""Plain NumPy in which mistakes are planted: one step and its derivative, then the loop.

Written as a student would, one line an equation, nothing checked; the numbers are those of
``rnnlite.reference``.  B rows, T steps, I features, H units; ``dv`` is dL/dv.  The states of all
steps are (B, T + 1, H): slot 0 is the initial state, step t reads slot t and writes slot t + 1.

    rnn.py             h = tanh(z), and the same with ReLU
    lstm.py            four gates and a cell state
    peephole_lstm.py   gates that see the cell state
    gru.py, gru_2014.py  reset gate after or before the recurrent product
    parts.py           dense, softmax cross-entropy, embedding, Adam, clipping, dropout, lengths
"""

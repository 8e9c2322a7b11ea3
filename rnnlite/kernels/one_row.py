"""The time loop of a single row in inference, whose units two threads share.

Rows of a batch never meet in time, and threads share them (``loop.py``).  Where there is one row,
what takes the time is to read W at every step: 321 KB for an LSTM of 128 units, at 32 bytes a cycle
from the second-level cache.  Two cores have two of these caches, and each reads half:

    thread 0    units 0 to 63     its columns of every gate    h[0:64]
    thread 1    units 64 to 127   its columns of every gate    h[64:128]

    W           | i: 0 | 1 | f: 0 | 1 | g: 0 | 1 | o: 0 | 1 |

A thread that has all gates of its units computes their new states by itself.  Then both need the
other's h, and so they wait for each other once a step: some 0.2 of 4 microseconds (``meeting.py``).

The sums, and the equations, are those of ``loop.py``: the bits do not depend on who came.
"""

from rnnlite.kernels import meeting as meetings
from rnnlite.kernels.fingerprint import identity
from rnnlite.kernels.jit import equation, inner
from rnnlite.kernels.layout import blocks_of
from rnnlite.kernels.load_store import REGISTERS, argument_loader
from rnnlite.kernels.operands import NUMBERS
from rnnlite.kernels.parallel import parallel
from rnnlite.kernels.product import TILE_VECTORS
from rnnlite.kernels.simd import flat, lanes, load, load_masked, store, store_masked

# Multiplications of a step from which on two threads win more than the waiting costs: of 80,000,
# which take 4.2 microseconds alone, they were seen to win a quarter; for fewer it is estimated.
WORTH_TWO = 30_000


def can_share(cell, I, H, panel):
    """Whether two threads may share the units of this cell's rows, and gain by it.

    A panel of W must not hold columns of two gates, and no equation look at all units at once.
    """
    fits = H % panel == 0 and H >= 2 * panel
    simple = cell.intermediate is None and not cell.whole_rows
    return fits and simple and (I + H) * H * len(cell.gates) >= WORTH_TWO


def make_forward(cell, operands=NUMBERS, patience=meetings.PATIENCE):
    """The forward loop of one row of a cell, as a kernel.

    After a wait of more spins than ``patience`` the caller computes the other steps alone.
    """
    multiply, per_word = operands.multiply, operands.per_word
    n_states, bias_rows = len(cell.states), int(cell.recurrent_bias)
    load_z, _ = REGISTERS.group(blocks_of(cell)[1])
    _, store_saved = REGISTERS.group(range(len(cell.saved)))
    load_state, store_state = REGISTERS.group(range(n_states))
    load_p = argument_loader(REGISTERS, len(cell.unit_params))
    step = equation(cell.step)

    @inner
    def load_inputs(x, at_x, I, states, before, Hp, xh, to_h):
        """[ x_t | 1 | h_{t-1} ], each thread a copy of its own."""
        to_x = to_h - bias_rows - 1 - I
        for j in range(0, I, lanes(xh)):
            store_masked(xh, to_x + j, load_masked(x, at_x + j, I - j), I - j)
        xh[to_x + I] = 1.0  # times b
        xh[to_h - 1] = 1.0  # times bh
        for j in range(0, Hp, lanes(xh)):
            store(xh, to_h + j, load(states, before + j))

    @inner
    def project(products, first_step, xh, at, w, room, zeros, gates, H, first, last):
        """z = [x 1 h] W, the columns of units ``first`` to ``last`` of each gate."""
        panel = TILE_VECTORS * lanes(xh)
        for n in range(len(products)):
            column, K, of_h, start, w_row, w_panel, z, N, begins, _ = products[n]
            so_far = zeros if begins == 1 else gates
            used = K - of_h * first_step
            for unit in range(first, N, H):
                at_z, at_w = z + unit, start + unit // panel * w_panel
                multiply(so_far, at_z * (begins == 0), 0, xh, at + column, 0,
                         w, at_w, w_row, w_panel, gates, at_z, 0, 1, used, last - first,
                         room, 0)  # fmt: skip

    @inner
    def apply_step(gates, states, before, after, p, H, Hp, first, last):
        """state, saved = step(z, state) of units ``first`` to ``last``."""
        for j in range(first, last, lanes(states)):
            z = load_z(gates, j, H, H - j)
            state = load_state(states, before + j, Hp, H - j)
            new_state, saved = step(z, state, *load_p(p, j, Hp, H - j))
            store_saved(gates, j, H, saved, H - j)
            store_state(states, after + j, Hp, new_state, H - j)

    @parallel(identity=f"{identity(cell)}{operands.name} {patience}")
    def forward(first, last, x, y, reverse, from_zero, xh, gates, states, p, w, products, zeros,
                meeting):  # fmt: skip
        """Run the row through all T steps, as thread ``first`` of two, or alone as 0 to 2.

        Read     x (1, T, I); slot 0 of states; p; w and products; zeros.
        Written  y (1, T, H), or nothing if it is (1, 0, H); the last slot of states (2, S, 1, Hp).
        Scratch  xh (2, xh_row), gates.  ``meeting`` is new; ``from_zero`` as in ``loop.py``.
        """
        (_, T, I), (_, steps_of_y, H), Hp = x.shape, y.shape, states.shape[3]
        xh_row = xh.shape[1]
        room = w.size - (2 - first) * (per_word - 1) * xh_row  # for pairs, behind the weights
        at, cut = first * xh_row, (H // (TILE_VECTORS * lanes(xh)) + 1) // 2
        cut *= TILE_VECTORS * lanes(xh)
        x, y, xh, gates, states, p = flat(x), flat(y), flat(xh), flat(gates), flat(states), flat(p)
        alone, t, begin, end, until = first == 0, 0, 0, H, T
        if first == 1:
            t, begin = meetings.join(meeting, T), cut
        while t < T:
            if alone and last == 1 and meetings.has_come(meeting, t):
                alone, end = False, cut
            before, after = t % 2 * n_states * Hp, (t + 1) % 2 * n_states * Hp
            now = T - 1 - t if reverse else t
            load_inputs(x, now * I, I, states, before, Hp, xh, at + xh_row - Hp)
            project(products, from_zero and t == 0, xh, at, w, room, zeros, gates, H, begin, end)
            apply_step(gates, states, before, after, p, H, Hp, begin, end)
            if steps_of_y > 0:
                for j in range(begin, end, lanes(y)):
                    store(y, now * H + j, load(states, after + j))
            if not alone:
                spins = meetings.keep_step(meeting, first, t)
                if first == 1:
                    until = meetings.parting(meeting, T)
                elif spins > patience and until == T:
                    until = meetings.part(meeting, t + 2)
            t += 1
            if t == until:  # the caller goes on alone
                alone, end = first == 0, H
                if first == 1:
                    t = T
        if first == 0:
            meetings.close(meeting)

    return forward

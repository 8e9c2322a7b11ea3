"""An amplifier in real time: an LSTM learns what one does to a guitar, then must keep up with one.

Sound comes in blocks of 64 samples, 750 times a second, and each must be answered before the next
one is there.  The amplifier to learn is a formula here: a low-pass filter that remembers, a valve
that bends.  The network is one of the usual size for this, an LSTM of 20 units and a Dense layer
(Wright, Damskägg & Välimäki 2019), trained by backpropagation through pieces of 256 samples.

    python examples/stream.py
    python examples/stream.py --block 1 --blocks 48000     a deadline for every sample
    python examples/stream.py --help
"""

import argparse
import gc
import time

import numpy as np
from command_line import Steps, count, number, run, width
from command_line import seed as any_seed

import rnnlite

RATE, PIECE, BATCH = 48_000, 256, 32


def guitar(rng, samples):
    """Plucked strings: some harmonics of a note every fifth of a second, which die away."""
    sound, length = np.zeros(samples), RATE // 5
    for start in range(0, samples, length):
        t = np.arange(min(length, samples - start)) / RATE
        note = 82.4 * 2 ** (rng.integers(0, 25) / 12)  # from the low E, in half tones
        for harmonic in range(1, 7):
            loud = np.exp(-t * (4 + 2 * harmonic)) * np.minimum(t * 500, 1) / harmonic
            sound[start : start + t.size] += loud * np.sin(2 * np.pi * note * harmonic * t)
    return 0.5 * sound


def amplifier(sound):
    """What the network is to learn: a filter with a memory, then a valve."""
    filtered, before = np.empty_like(sound), 0.0
    for n, now in enumerate(sound):
        before = filtered[n] = 0.7 * before + 0.3 * now
    return np.tanh(4.0 * filtered + 0.3) - np.tanh(0.3)


def train(model, options):
    """Adam on pieces of five seconds of sound."""
    rng = np.random.default_rng(options.seed)
    sound = guitar(rng, 5 * RATE)
    wanted = amplifier(sound)
    optimizer, places = rnnlite.Adam(model, lr=options.lr), np.arange(PIECE)
    for step in Steps(options.steps):
        chosen = rng.integers(0, sound.size - PIECE, (BATCH, 1)) + places
        y = model.forward(sound[chosen][:, :, None], training=True)
        # The first samples depend on what came before the piece: they do not count.
        error = y[:, 32:, 0] - wanted[chosen][:, 32:]
        dy = np.zeros_like(y)
        dy[:, 32:, 0] = 2 * error / error.size
        model.backward(dy, need_dx=False)
        optimizer.step()
        if step % 100 == 0 or step == options.steps:
            print(f"step {step:5d}  mean squared error {np.mean(error**2):.6f}", flush=True)


def play(stream, sound, block):
    """Each block as it arrives; the sound that comes out, and seconds for each block.

    From its arrival to the answer, and of those in computing it: the rest is waiting, for the
    system or for the block before.
    """
    out, times, period = np.empty_like(sound), [], block / RATE
    start = time.perf_counter() + period
    for n, first in enumerate(range(0, sound.size, block)):
        arrives = start + n * period
        while (left := arrives - time.perf_counter()) > 0:
            if left > 0.0005:  # who sleeps is woken first, but late: the rest is waited for awake
                time.sleep(left - 0.0003)
        begin = time.perf_counter()
        piece = sound[first : first + block]
        out[first : first + block] = stream.run(piece.reshape(1, -1, 1))[0, :, 0]
        end = time.perf_counter()
        times.append((end - arrives, end - begin))
    return out, *np.transpose(times)


def main():
    """Train, then play against the clock."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=count, default=600, help="of training (%(default)s)")
    parser.add_argument("--hidden", type=width, default=20, help="units (%(default)s)")
    parser.add_argument("--lr", type=number(float, 0, 1), default=0.005, help="(%(default)s)")
    parser.add_argument(
        "--block", type=number(int, 1, 10_000), default=64, help="samples a block (%(default)s)"
    )
    parser.add_argument("--blocks", type=count, default=3750, help="to play (%(default)s: 5 s)")
    parser.add_argument("--seed", type=any_seed, default=0, help="(%(default)s)")
    options = parser.parse_args()

    model = rnnlite.Sequential(
        [
            rnnlite.LSTM(1, options.hidden, return_sequences=True, seed=options.seed),
            rnnlite.Dense(options.hidden, 1, seed=options.seed + 1),
        ]
    )
    train(model, options)

    sound = guitar(np.random.default_rng(options.seed + 1), options.block * options.blocks)
    sound = sound.astype(np.float32)  # the model's own: nothing has to be converted
    wanted = amplifier(sound)
    stream = model.stream()
    stream.run(sound[: options.block].reshape(1, -1, 1))  # all code has run once, then
    stream.reset()
    gc.collect()
    gc.disable()  # no pause to look for garbage
    try:
        out, taken, computed = play(stream, sound, options.block)
    finally:
        gc.enable()

    deadline = options.block / RATE
    met = int(np.sum(taken <= deadline))
    error = np.sum((out - wanted) ** 2) / np.sum(wanted**2)
    print(f"\nerror to signal, on a new tune: {error:.4f}")
    print(
        f"blocks of {options.block} samples at {RATE:,} a second, "
        f"{deadline * 1e6:,.0f} microseconds for each"
    )
    for what, seconds in ("to compute", computed), ("from arrival to answer", taken):
        median, rare, longest = np.percentile(seconds, [50, 99.9, 100]) * 1e6
        print(
            f"microseconds {what}: median {median:,.1f}, "
            f"99.9th percentile {rare:,.1f}, longest {longest:,.1f}"
        )
    print(f"deadlines met: {met:,} of {len(taken):,}")
    if late := int(np.sum((taken > deadline) & (computed <= deadline))):
        print(f"computed in time, but begun late: {late:,}; other programs had the processor")


if __name__ == "__main__":
    run(main)

"""The page of ``rnnlite.explain`` in the site: a network that is trained while it is built."""

from pathlib import Path

import rnnlite


def train():
    """An LSTM that reads digits row by row, and the digits that it has not seen before."""
    data = rnnlite.datasets.mnist_5k()
    model = rnnlite.Sequential([rnnlite.LSTM(28, 48, seed=0), rnnlite.Dense(48, 10, seed=1)])
    epochs, batch_size = 8, 64
    steps = epochs * -(-len(data.train.images) // batch_size)
    rnnlite.fit(
        model, *data.train, schedule=rnnlite.schedules.one_cycle(0.01, steps=steps), epochs=epochs,
        batch_size=batch_size, seed=0, clip_norm=1.0, progress=False,
    )  # fmt: skip
    return model, data.test


def write(app, error):
    """Write ``digits.html`` beside the site's front page."""
    if error is None and app.builder.format == "html":
        model, test = train()
        rnnlite.explain(
            model, test.images[:12], Path(app.outdir) / "digits.html", labels=test.labels[:12]
        )


def setup(app):
    """Tell Sphinx."""
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

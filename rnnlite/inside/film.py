"""A film of training: any picture of the model, again and again while it learns."""

import io

from rnnlite import checking
from rnnlite.saving.atomic import replace_file
from rnnlite.training.callbacks import Callback


class Film(Callback):
    """A callback of ``fit`` that draws the model at steps 0, 10, 20, 50, 100, 200, 500, ...

    Frames are files ``step_000010.png`` in a folder; at the end of training there is one more, and
    where Pillow is there, they are joined to the animation ``film.gif``.

    Parameters
    ----------
    picture : callable
        ``picture(model)`` returns a figure of matplotlib: what any ``plot_*`` returns.
    folder : str or os.PathLike
        Made if it is not there.
    steps : list of int, optional
        When to draw; by default 0 and then 1, 2 and 5 times 10, 100, ...
    seconds : float
        How long the animation shows each frame.

    Attributes
    ----------
    frames : list of pathlib.Path
        What was written.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> from rnnlite import RNN, fit, inside, trace
    >>> x, model = np.ones((20, 6, 3), "float32"), RNN(3, 2, seed=0)
    >>> film = Film(lambda m: inside.plot_gates(trace(m, x)), tempfile.mkdtemp(), steps=[0, 2])
    >>> history = fit(model, x, np.zeros(20, int), steps=3, batch_size=5, callbacks=film)
    >>> [frame.name for frame in film.frames]
    ['step_000000.png', 'step_000002.png', 'step_000003.png']
    """

    def __init__(self, picture, folder, steps=None, seconds=0.7):
        where = "Film"
        if not callable(picture):
            wanted = "a function of the model that returns a figure"
            raise TypeError(f"{where}: picture is {picture!r}; wanted {wanted}")
        if steps is not None:
            listed = checking.sequence(where, "steps", steps, "a list of whole numbers")
            steps = {checking.whole_number(where, "steps", step, 0) for step in listed}
        self.picture, self.steps = picture, steps
        self.folder = checking.file_name(where, "folder", folder)
        self.seconds = checking.real_number(where, "seconds", seconds, 0.01, 60.0)
        self.frames = []

    def _is_due(self, step):
        if self.steps is not None:
            return step in self.steps
        digits = str(step)
        return step == 0 or (step >= 10 and digits[0] in "125" and not digits[1:].strip("0"))

    def begin(self, run):
        """Make the folder; draw the untrained model; see ``Film``."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.frames = []
        self.step(run)

    def step(self, run):
        """Draw the model if it is time for it; see ``Film``."""
        if self._is_due(run.step):
            self._draw(run)

    def end(self, run):
        """Draw the trained model, and join the frames; see ``Film``."""
        if not self.frames or self.frames[-1] != self._file(run.step):
            self._draw(run)
        self._join()

    def _file(self, step):
        return self.folder / f"step_{step:06d}.png"

    def _draw(self, run):
        figure = self.picture(run.model)
        if not hasattr(figure, "savefig"):
            kind = type(figure).__name__
            raise TypeError(f"Film: picture(model) returned {kind}; wanted a matplotlib figure")
        figure.suptitle(f"after {run.step:,} training steps")
        content = io.BytesIO()
        figure.savefig(content, format="png", dpi=100)
        replace_file(self._file(run.step), content.getvalue())
        self.frames.append(self._file(run.step))

    def _join(self):
        """The animation, where Pillow can be had; it holds the last frame for longer."""
        try:
            from PIL import Image
        except ImportError:  # the frames are there
            return
        first, *others = [Image.open(frame).convert("RGB") for frame in self.frames]
        size, content = first.size, io.BytesIO()
        others = [image.resize(size) for image in others]
        times = [int(1000 * self.seconds)] * len(others) + [int(3000 * self.seconds)]
        first.save(content, "GIF", save_all=True, append_images=others, duration=times, loop=0)
        replace_file(self.folder / "film.gif", content.getvalue())

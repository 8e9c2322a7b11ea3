"""TensorBoard: the figures of a run as curves in a browser, through tensorboardX."""

from rnnlite import checking
from rnnlite.needed import needed
from rnnlite.training import Callback


class TensorBoard(Callback):
    """Write each record for TensorBoard, which draws it while training goes on.

    ``tensorboard --logdir FOLDER`` shows the curves of all runs under a folder.  A run that is
    resumed goes on where its checkpoint was: what came after it before the break is hidden.

    Parameters
    ----------
    folder : str or os.PathLike
        Of this run, such as ``"runs/lstm-128"``.
    weights : bool
        Whether to write how each parameter's values are distributed, too.

    Examples
    --------
    >>> import pathlib, tempfile, rnnlite
    >>> model, x = rnnlite.Dense(2, 2, seed=0), [[0, 1], [1, 0]]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     log = TensorBoard(folder)
    ...     history = rnnlite.fit(model, x, [0, 1], epochs=3, callbacks=[log], progress=False)
    ...     len(list(pathlib.Path(folder).glob("events.out.tfevents.*")))
    1
    """

    everywhere = False

    def __init__(self, folder, *, weights=False):
        self._library = needed("TensorBoard", "tensorboardX")
        self.folder, self._writer = checking.file_name("TensorBoard", "folder", folder), None
        self.weights = checking.true_or_false("TensorBoard", "weights", weights)

    def begin(self, run):
        """Open a file of events; see ``Callback``."""
        options = {"flush_secs": 1}  # a run that fails has all its points but those of a second
        if run.step:  # with a name of its own: two runs may begin in the same second
            options |= {"purge_step": run.step + 1, "filename_suffix": f".from-{run.step}"}
        self._writer = self._library.SummaryWriter(str(self.folder), **options)

    def record(self, run):
        """A point of each curve, at the step; see ``Callback``."""
        for name, value in run.history.last().items():
            if name != "step":
                self._writer.add_scalar(name, value, run.step)
        if self.weights:
            for name, array in run.model.params.items():
                self._writer.add_histogram(name, array, run.step)

    def end(self, run):
        """Close the file; see ``Callback``."""
        self._writer.close()

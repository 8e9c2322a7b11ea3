"""CSVLog: the history as a file that grows while training goes on."""

import csv
import io
import os

from rnnlite import checking
from rnnlite.saving.atomic import replace_file
from rnnlite.training import Callback


class CSVLog(Callback):
    """Write the history into a file of comma-separated values, each record as soon as it is there.

    The file is that of ``History.to_csv`` at every moment, and on the disk: after a power failure
    it has all records but perhaps the last.  A new run replaces the file; one that is resumed
    begins with the records of its checkpoint.

    Parameters
    ----------
    path : str or os.PathLike
        Of a file, in a folder that exists.

    Examples
    --------
    >>> import pathlib, tempfile, rnnlite
    >>> model, x = rnnlite.Dense(2, 2, seed=0), [[0, 1], [1, 0]]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     log = CSVLog(f"{folder}/run.csv")
    ...     history = rnnlite.fit(model, x, [0, 1], epochs=3, callbacks=[log], progress=False)
    ...     pathlib.Path(folder, "run.csv").read_text() == history.to_csv()
    True
    """

    everywhere = False

    def __init__(self, path):
        self.path = checking.file_name("CSVLog", "path", path)

    def begin(self, run):
        """The file with what a resumed run has recorded, or empty; see ``Callback``."""
        replace_file(self.path, (run.history.to_csv() if run.history else "").encode())

    def record(self, run):
        """One more line, on the disk; see ``Callback``."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        if len(run.history["step"]) == 1:
            writer.writerow(run.history)
        writer.writerow(run.history.last().values())
        with self.path.open("ab") as file:
            file.write(text.getvalue().encode())
            file.flush()
            os.fsync(file.fileno())

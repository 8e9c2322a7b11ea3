"""Numbers in a CSV file: which columns hold any, and what they are."""

import csv
import io
import itertools
import math
from array import array
from typing import NamedTuple

import numpy as np

from rnnlite.datasets.utf8 import read_utf8

MISSING = frozenset(("", "na", "n/a", "nan", "null", "none", "?"))
# In this order: decimal commas make two columns of every number, if "," is tried first.
DELIMITERS = "\t;|,"
LOOKED_AT = 100  # lines, to find out about the delimiter


class Table(NamedTuple):
    """Numbers, and where they stand in the file.

    Attributes
    ----------
    names : tuple
        Of the columns: str from the header, or int, the place in the file.
    values : numpy.ndarray (rows, columns) float64
        NaN where the file has none.
    lines : numpy.ndarray (rows,) int64
        Line of the file on which each row ends, from 1.

    Examples
    --------
    >>> Table(("level",), np.zeros((1, 1)), np.array([2])).names
    ('level',)
    """

    names: tuple
    values: np.ndarray
    lines: np.ndarray


def read_table(where, path, columns=None, delimiter=None, header=None, decimal="."):
    """Read the columns of numbers of a CSV file.

    Parameters
    ----------
    where : str
        For errors.
    path : str or os.PathLike
    columns : sequence of str or int, optional
        Which ones, in which order: names of the header, or places from 0.  If
        not given, all whose first value is a number.
    delimiter : str, optional
        If not given, the one of tab, ``;``, ``|`` and ``,`` that cuts the first
        lines into equally many cells, more than one.
    header : bool, optional
        Whether the first line has names.  If not given, it has if it holds no
        number, but words above numbers.
    decimal : {".", ","}
        What stands before the decimals.

    Returns
    -------
    Table

    Raises
    ------
    DataNotFound, TypeError, ValueError
        As ``read_utf8``; for a column that does not exist, a line with more or
        fewer cells than the first, or a cell that is not a number.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "tide.csv"
    ...     _ = path.write_text("day,level,wind\\nMon,1.5,3\\nTue,,4\\n")
    ...     read_table("tide", path)
    Table(names=('level', 'wind'), values=array([[1.5, 3. ], [nan, 4. ]]), lines=array([2, 3]))
    """
    text = read_utf8(where, path)
    where = f"{where}: {path}"
    if delimiter is None:
        delimiter = _likely_delimiter(text)
    _, first = next(_rows(where, text, delimiter), (0, None))
    if first is None:
        raise ValueError(f"{where} is empty; wanted lines of numbers")
    beneath = _first_values(itertools.islice(_rows(where, text, delimiter), 1, None), decimal)
    if header is None:
        above = [_number(cell, decimal) for cell in first]
        header = not any(_is_number(value) for value in above) and any(
            word is None and _is_number(value) for word, value in zip(above, beneath, strict=False)
        )
    if not header:
        beneath = _first_values(_rows(where, text, delimiter), decimal)
    names = [cell.strip() for cell in first] if header else list(range(len(first)))
    if columns is None:
        places = [place for place, value in enumerate(beneath) if _is_number(value)]
        if not places:
            what = "column of numbers" if beneath else "row beneath the names of its columns"
            hint = "" if decimal == "," or delimiter == "," else "; decimal=',' reads 1,5 as 1.5"
            raise ValueError(f"{where} has no {what} (delimiter {delimiter!r}){hint}")
    else:
        places = [_place(where, names, column) for column in columns]

    numbers, lines = array("d"), array("q")
    for line, cells in itertools.islice(_rows(where, text, delimiter), int(header), None):
        lines.append(line)
        for place in places:
            value = _number(cells[place], decimal)
            if value is None:
                raise ValueError(
                    f"{where}, line {line}, column {names[place]!r}: {cells[place]!r} is not"
                    " a number"
                )
            numbers.append(value)
    values = np.array(numbers).reshape(-1, len(places))
    return Table(tuple(names[place] for place in places), values, np.array(lines, np.int64))


def _rows(where, text, delimiter):
    """Line number and cells of each row; all have as many cells as the first."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    width = None
    try:
        for cells in reader:
            if not cells:  # a blank line
                continue
            if width is None:
                width, first = len(cells), reader.line_num
            if len(cells) != width:
                raise ValueError(
                    f"{where}, line {reader.line_num} has {len(cells)} cells; line {first} has"
                    f" {width} (delimiter {delimiter!r})"
                )
            yield reader.line_num, cells
    except csv.Error as error:
        raise ValueError(f"{where}, line {reader.line_num}: {error}") from None


def _likely_delimiter(text):
    """The first delimiter by which the first lines have equally many cells, more than one."""
    lines = list(itertools.islice(io.StringIO(text), LOOKED_AT))
    for delimiter in DELIMITERS:
        try:
            widths = {len(cells) for cells in csv.reader(lines, delimiter=delimiter) if cells}
        except csv.Error:  # it is told when the file is read
            break
        if len(widths) == 1 and widths != {1}:
            return delimiter
    return ","


def _number(cell, decimal):
    """The number in a cell, NaN if it is missing, None if it is something else."""
    cell = cell.strip()
    if cell.lower() in MISSING:
        return math.nan
    if decimal == ",":
        cell = cell.replace(".", "_").replace(",", ".")
    try:
        value = float(cell)
    except ValueError:
        return None
    # Python takes 1_000 for a thousand, and reads infinities; here both are mistakes.
    return value if math.isfinite(value) and "_" not in cell else None


def _is_number(value):
    return value is not None and not math.isnan(value)


def _first_values(rows, decimal):
    """What each column has in the first row that has anything in it."""
    values = []
    for _, cells in rows:
        values = values or [math.nan] * len(cells)
        for place, cell in enumerate(cells):
            if values[place] is not None and math.isnan(values[place]):
                values[place] = _number(cell, decimal)
        if not any(value is not None and math.isnan(value) for value in values):
            break
    return values


def _place(where, names, column):
    """The place of a column that somebody named."""
    if isinstance(column, str):
        if names.count(column) == 1:
            return names.index(column)
        found = "more than one" if column in names else "no"
        raise ValueError(
            f"{where} has {found} column {column!r}; its columns are {', '.join(map(repr, names))}"
        )
    if not 0 <= column < len(names):
        raise ValueError(f"{where} has {len(names)} columns, from 0; there is no column {column}")
    return column

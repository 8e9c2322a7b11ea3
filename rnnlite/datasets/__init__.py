"""Data to train on: images, tasks made from a seed, text, time series.

    mnist            handwritten digits: 55,000 to train, 5,000 to validate, 10,000 to test
    mnist_5k         5,000 of them, bundled: no download, loaded in an instant
    fashion_mnist    clothes in the form of MNIST, and harder
    random_affine    images moved, turned, stretched and bent at random

    adding_problem   two marked numbers, far apart among noise, are to be added
    temporal_order   which of X and Y came when, among a hundred other symbols
    embedded_reber   predict a string symbol by symbol, and remember its second
    copy_memory      ten symbols, a long silence, then say them again
    anbn, anbncn     as many b's as a's, and c's: count, and be right for longer strings
    long_lag         the first symbol is the last, too; all between says nothing
    two_sequence     the class, and then noise on the same line
    multiplication_problem
                     two marked numbers, far apart among noise, are to be multiplied
    spike_delays     one step more or less between spikes: measure it, or make it

    text             the characters of any UTF-8 file, by default of the bundled sample_text
    time_series      an array or a data frame, windowed for forecasting

Each says what is hard about it, what a guess without memory scores, and what counts as solved.
Tasks are named tuples ``x, y`` or ``x, y, lengths`` that go straight into a layer.
"""

from rnnlite.datasets.adding import adding_problem
from rnnlite.datasets.augment import random_affine
from rnnlite.datasets.copy_memory import copy_memory
from rnnlite.datasets.counting import (
    COUNTING_SYMBOLS,
    CountingStrings,
    anbn,
    anbncn,
    strings_accepted,
)
from rnnlite.datasets.criteria_1997 import experiment_correct, experiment_solved
from rnnlite.datasets.idx import CorruptData
from rnnlite.datasets.images import (
    FASHION_CLASSES,
    MNIST,
    DataNotFound,
    Split,
    fashion_mnist,
    mnist,
    mnist_5k,
)
from rnnlite.datasets.long_lag import long_lag
from rnnlite.datasets.multiplication import multiplication_problem
from rnnlite.datasets.reber import REBER_SYMBOLS, ReberStrings, embedded_reber, reber_correct
from rnnlite.datasets.sequences import PaddedSequences, Sequences
from rnnlite.datasets.series import TimeSeries, time_series
from rnnlite.datasets.spikes import SpikeTrains, spike_delays, spikes_correct
from rnnlite.datasets.temporal_order import TEMPORAL_ORDER_SYMBOLS, temporal_order
from rnnlite.datasets.text import Text, sample_text, text, text_batches, text_windows
from rnnlite.datasets.two_sequence import TwoSequences, two_sequence
from rnnlite.datasets.vocabulary import Vocabulary

__all__ = [
    "COUNTING_SYMBOLS", "FASHION_CLASSES", "MNIST", "REBER_SYMBOLS", "TEMPORAL_ORDER_SYMBOLS",
    "CorruptData", "CountingStrings", "DataNotFound", "PaddedSequences", "ReberStrings",
    "Sequences", "SpikeTrains", "Split", "Text", "TimeSeries", "TwoSequences", "Vocabulary",
    "adding_problem", "anbn", "anbncn", "copy_memory", "embedded_reber", "experiment_correct",
    "experiment_solved", "fashion_mnist", "long_lag", "mnist", "mnist_5k",
    "multiplication_problem", "random_affine", "reber_correct", "sample_text", "spike_delays",
    "spikes_correct", "strings_accepted", "temporal_order", "text", "text_batches",
    "text_windows", "time_series", "two_sequence",
]  # fmt: skip

"""Text as numbers: what a file may hold, what batches promise, and the bundled sample."""

import gzip
import hashlib
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import assert_refused
from programs import load

import rnnlite
from rnnlite import datasets

# The package's function of the same name hides the module.
text_module = sys.modules["rnnlite.datasets.text"]
SCRIPT = Path(__file__).parents[1] / "scripts" / "make_alice.py"
# A pause between words, a sign beyond 16 bits, half of one that stands alone.
STRANGE = "aé\u2003中😀\udc00\x00z"


def written(folder, content, name="text.txt"):
    path = folder / name
    path.write_bytes(content)
    return path


# ---- the vocabulary --------------------------------------------------------------------------


def test_characters_are_sorted_and_numbered_in_order():
    words = datasets.Vocabulary("banana split")
    assert words.characters == "".join(sorted(set("banana split"))) and len(words) == 9
    assert [words.characters[k] for k in words.encode("split")] == list("split")


@pytest.mark.parametrize("text", ["", "a", "hello\nworld", STRANGE, STRANGE * 3])
def test_decoding_undoes_encoding(text):
    words = datasets.Vocabulary(STRANGE + "hello\nworld")
    numbers = words.encode(text)
    assert len(numbers) == len(text) and words.decode(numbers) == text
    assert words.decode(numbers.tolist()) == text
    expected = [sorted(set(STRANGE + "hello\nworld")).index(c) for c in text]
    assert numbers.tolist() == expected


@pytest.mark.parametrize(("count", "dtype"), [(1, "uint8"), (256, "uint8"), (257, "uint16")])
def test_numbers_take_as_little_room_as_they_can(count, dtype):
    words = datasets.Vocabulary("".join(map(chr, range(1000, 1000 + count))))
    numbers = words.encode(words.characters)
    assert numbers.dtype == words.dtype == dtype
    assert numbers.tolist() == list(range(count))


def test_an_unknown_character_is_named_with_its_place():
    words = datasets.Vocabulary("abc")
    for text, what in ("abxa", "'x' (U+0078) at place 2"), ("中", "'中' (U+4E2D) at place 0"):
        message = f"Vocabulary.encode: character {what} is not among the 3 of this vocabulary"
        assert_refused(ValueError, [message], words.encode, text)


def test_an_unknown_character_may_become_a_known_one():
    words = datasets.Vocabulary("abc?", unknown="?")
    assert words.decode(words.encode("a中bx")) == "a?b?"


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (("",), ValueError, "characters is empty"),
        ((b"abc",), TypeError, "characters is b'abc'; wanted a str"),
        (("abc", "x"), ValueError, "unknown is 'x'; wanted one of the characters"),
        (("abc", "ab"), ValueError, "unknown is 'ab'; wanted one of the characters"),
        (("abc", ["a"]), ValueError, "unknown is ['a']; wanted one of the characters"),
    ],
)
def test_a_vocabulary_needs_characters(arguments, error, words):
    assert_refused(error, [f"Vocabulary: {words}"], datasets.Vocabulary, *arguments)


@pytest.mark.parametrize(
    ("numbers", "error", "words"),
    [
        ([0, 3], ValueError, "numbers runs from 0 to 3; each must lie in 0..2"),
        ([-1], ValueError, "numbers runs from -1 to -1"),
        ([0.5], TypeError, "numbers holds float64"),
        ([[0]], ValueError, "numbers has shape (1, 1); wanted one axis"),
    ],
)
def test_numbers_without_a_character_are_refused(numbers, error, words):
    assert_refused(
        error, [f"Vocabulary.decode: {words}"], datasets.Vocabulary("abc").decode, numbers
    )


def test_only_text_can_be_encoded():
    assert_refused(TypeError, ["text is 5; wanted a str"], datasets.Vocabulary("abc").encode, 5)


def test_vocabularies_of_the_same_characters_are_equal():
    words = datasets.Vocabulary("cab")
    assert words == datasets.Vocabulary("abcabc") and hash(words) == hash(
        datasets.Vocabulary("abc")
    )
    assert words != datasets.Vocabulary("abcd") and words != datasets.Vocabulary("abc", unknown="a")
    assert words != "abc" and eval(repr(words), {"Vocabulary": datasets.Vocabulary}) == words
    assert datasets.Vocabulary(words.characters) == words


# ---- files -----------------------------------------------------------------------------------


def whole(data):
    return data.vocabulary.decode(data.train) + data.vocabulary.decode(data.validation)


def test_a_file_is_divided_in_order(tmp_path):
    path = written(tmp_path, b"0123456789")
    for place in path, str(path):
        data = datasets.text(place, validation=0.3)
        assert data.vocabulary.decode(data.train) == "0123456"
        assert data.vocabulary.decode(data.validation) == "789"
    assert len(datasets.text(path, validation=0.0).validation) == 0
    assert len(datasets.text(path).validation) == 1  # a tenth


def test_any_utf8_is_read(tmp_path):
    text = "Größe 中文 😀\nтри\n"
    assert whole(datasets.text(written(tmp_path, text.encode()))) == text


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfone\ntwo\n",  # a byte order mark
        b"one\r\ntwo\r\n",  # Windows
        b"one\rtwo\r",  # an old Macintosh
        b"\xef\xbb\xbfone\r\ntwo\r",
    ],
)
def test_marks_and_line_ends_do_not_matter(tmp_path, content):
    data = datasets.text(written(tmp_path, content))
    assert whole(data) == "one\ntwo\n" and len(data.vocabulary) == 6


@pytest.mark.parametrize(
    ("content", "byte", "offset", "line"),
    [
        (b"ab\n\ncd\xff", "0xff", 6, 3),
        (b"\xef\xbb\xbfab\xe4b", "0xe4", 5, 1),  # Latin-1; the mark counts, too
        (b"\xff\xfea\0", "0xff", 0, 1),  # UTF-16
        (b"abc\xe4\xb8", "0xe4", 3, 1),  # cut within a character
    ],
)
def test_what_is_not_utf8_is_refused_with_the_place(tmp_path, content, byte, offset, line):
    path = written(tmp_path, content)
    message = f"text: {path} is not UTF-8: byte {byte} at offset {offset} (line {line});"
    assert_refused(ValueError, [message], datasets.text, path)


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf"])
def test_an_empty_file_is_refused(tmp_path, content):
    path = written(tmp_path, content)
    assert_refused(ValueError, [f"text: {path} is empty"], datasets.text, path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path in tmp_path / "none.txt", tmp_path:
        assert_refused(
            datasets.DataNotFound, [f"text: there is no file {path}"], datasets.text, path
        )
    assert_refused(TypeError, ["text: path is 3"], datasets.text, 3)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"validation": 1.0}, ValueError, "validation is 1.0; it must lie in [0.0, 1.0)"),
        ({"validation": -0.1}, ValueError, "validation is -0.1"),
        ({"validation": "x"}, TypeError, "validation is 'x'; it must be a number"),
        ({"vocabulary": "abc"}, TypeError, "vocabulary is 'abc'; wanted a Vocabulary or None"),
    ],
)
def test_bad_arguments_are_refused_by_name(arguments, error, words):
    assert_refused(error, [f"text: {words}"], datasets.text, **arguments)


def test_another_text_may_be_numbered_with_the_vocabulary_of_the_first(tmp_path):
    first = datasets.text(written(tmp_path, b"abcdef"))
    second = datasets.text(written(tmp_path, b"fade", "2"), vocabulary=first.vocabulary)
    assert second.train.tolist() == [5, 0, 3, 4] and second.vocabulary is first.vocabulary
    strange = written(tmp_path, b"fox", "3")
    assert_refused(ValueError, ["'o'"], datasets.text, strange, vocabulary=first.vocabulary)


def test_a_large_file_takes_little_more_than_itself(tmp_path, peak_memory):
    path = written(tmp_path, b"The quick brown fox.\n" * 100_000)  # 2 MB
    size = path.stat().st_size
    data = datasets.text(path)
    assert len(data.train) + len(data.validation) == size and data.train.dtype == np.uint8
    assert peak_memory() < 4 * size + 1_000_000  # bytes, text, numbers


# ---- batches that continue one another -------------------------------------------------------


@pytest.mark.parametrize(
    ("length", "B", "T"), [(13, 2, 3), (18, 2, 3), (19, 2, 3), (101, 4, 5), (7, 1, 6)]
)
def test_batches_continue_the_text_row_by_row(length, B, T):
    text = np.arange(length)
    x, y = datasets.text_batches(text, B, T)
    batches = (length - 1) // (B * T)
    assert x.shape == y.shape == (batches, B, T)
    np.testing.assert_array_equal(y, x + 1)  # of each number the next
    for row in range(B):
        stretch = np.concatenate(list(x[:, row]))
        np.testing.assert_array_equal(stretch, stretch[0] + np.arange(batches * T))
    starts = x[0, :, 0]
    np.testing.assert_array_equal(np.diff(starts), batches * T)  # one stretch begins where one ends
    left_out = length - 1 - batches * B * T
    assert 0 <= left_out < B * T and y.max() == batches * B * T


def test_carrying_the_state_is_reading_without_a_cut():
    rng = np.random.default_rng(0)
    text = rng.integers(0, 9, 25)
    embedding = rnnlite.Embedding(9, 3, seed=0)
    lstm = rnnlite.LSTM(3, 4, return_sequences=True, seed=0)
    x, _ = datasets.text_batches(text, 2, 4)
    state, pieces = None, []
    for batch in x:
        pieces.append(lstm.forward(embedding.forward(batch), initial_state=state))
        state = lstm.final_state
    at_once = lstm.forward(embedding.forward(text[:24].reshape(2, 12)))
    np.testing.assert_allclose(np.concatenate(pieces, axis=1), at_once, rtol=1e-5, atol=1e-6)


def test_batches_and_windows_are_views():
    text = np.arange(50, dtype=np.uint8)
    for data in datasets.text_batches(text, 2, 4), datasets.text_windows(text, 4):
        for array in data:
            assert np.shares_memory(array, text) and array.dtype == np.uint8


# ---- windows that stand for themselves -------------------------------------------------------


@pytest.mark.parametrize("stride", [None, 1, 3, 10])
def test_windows_begin_a_stride_apart(stride):
    x, y = datasets.text_windows(np.arange(20), 5, stride)
    expected = list(range(0, 15, stride or 5))  # the last that has a character behind it
    assert x[:, 0].tolist() == expected
    np.testing.assert_array_equal(x, np.array(expected)[:, None] + np.arange(5))
    np.testing.assert_array_equal(y, x + 1)


@pytest.mark.parametrize(
    ("make", "arguments", "error", "words"),
    [
        (
            datasets.text_batches,
            (np.arange(12), 2, 6),
            ValueError,
            "has 12 of them; 2 rows of 6 steps need 13",
        ),
        (datasets.text_windows, (np.arange(5), 5), ValueError, "has 5 of them; 5 steps need 6"),
        (datasets.text_batches, ("text", 2, 6), TypeError, "characters holds <U4; it must"),
        (datasets.text_windows, ([0.5] * 9, 2), TypeError, "characters holds float64"),
        (
            datasets.text_windows,
            (np.zeros((9, 9), int), 2),
            ValueError,
            "characters has shape (9, 9)",
        ),
        (datasets.text_batches, (np.arange(12), 0, 6), ValueError, "batch_size is 0"),
        (datasets.text_batches, (np.arange(12), 2, 0), ValueError, "steps is 0"),
        (datasets.text_windows, (np.arange(12), 2, 0), ValueError, "stride is 0"),
    ],
)
def test_texts_that_cannot_be_cut_are_refused(make, arguments, error, words):
    assert_refused(error, [f"{make.__name__}: ", words], make, *arguments)


# ---- the sample ------------------------------------------------------------------------------


def test_the_sample_is_a_whole_book():
    alice = datasets.sample_text()
    assert len(alice) == 148_425 and len(set(alice)) == 70 and alice.isascii()
    assert alice.lstrip().startswith("ALICE'S ADVENTURES IN WONDERLAND\n")
    assert alice.endswith("THE END\n") and "\r" not in alice and "\x1a" not in alice
    chapters = [line.strip() for line in alice.splitlines() if line.strip().startswith("CHAPTER")]
    assert len(chapters) == 12 and chapters[-1] == "CHAPTER XII"


def test_the_sample_is_read_if_no_file_is_named():
    data = datasets.text()
    assert whole(data) == datasets.sample_text()
    assert len(data.vocabulary) == 70 and len(data.validation) == 14_842


def test_guesses_without_memory_score_what_is_documented():
    data = datasets.text()
    frequency = np.bincount(data.train, minlength=70) + 1
    assert abs(-np.log(frequency / frequency.sum())[data.validation].mean() - 3.16) < 0.01
    pairs = np.full((70, 70), 0.05)
    np.add.at(pairs, (data.train[:-1], data.train[1:]), 1)
    pairs /= pairs.sum(axis=1, keepdims=True)
    loss = -np.log(pairs[data.validation[:-1], data.validation[1:]]).mean()
    assert abs(loss - 2.45) < 0.01


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            gzip.compress(b"Alice", mtime=0),
            f"MD5 [0-9a-f]{{32}}; expected {text_module.SAMPLE_MD5}",
        ),
        (b"Alice", "damaged gzip data"),
        (gzip.compress(b"Alice", mtime=0)[:-4], "damaged gzip data"),
    ],
)
def test_a_damaged_sample_is_refused(monkeypatch, tmp_path, content, words):
    written(tmp_path, content, text_module.SAMPLE)
    monkeypatch.setattr(text_module, "BUNDLED", tmp_path)
    with pytest.raises(datasets.CorruptData, match=f"^alice.txt.gz: {words}"):
        datasets.sample_text()


def source():
    """The source file, put together again from its result."""
    lines = datasets.sample_text().removesuffix("\n").split("\n")
    edition = "               " + load(SCRIPT).EDITION
    lines[4:4] = [edition, ""]
    return "\r\n".join(["", "", "", "", *lines, ""]).encode() + b"\x1a"


def test_script_makes_the_sample_again(monkeypatch, tmp_path, capsys):
    content = source()
    script = load(SCRIPT)
    assert hashlib.md5(content).hexdigest() == script.SOURCE_MD5
    path = written(tmp_path, content, "alice29.txt")
    arguments = [str(SCRIPT), str(path), "--folder", str(tmp_path / "made")]
    monkeypatch.setattr(sys, "argv", arguments)
    assert script.main() == 0 and "as expected" in capsys.readouterr().out
    made = (tmp_path / "made" / text_module.SAMPLE).read_bytes()
    assert made[4:8] == bytes(4)  # no time of day
    assert gzip.decompress(made).decode() == datasets.sample_text()


def test_script_refuses_another_source(monkeypatch, tmp_path):
    path = written(tmp_path, b"Once upon a time")
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), str(path), "--folder", str(tmp_path)])
    with pytest.raises(SystemExit, match=r"MD5 [0-9a-f]{32}; expected 74c3b556"):
        load(SCRIPT).main()


def test_source_and_licence_stand_beside_the_sample():
    text = (Path(datasets.__file__).parent / "data" / "README.md").read_text(encoding="utf-8")
    for words in "alice.txt.gz", "Lewis Carroll", "1865", "public domain", "make_alice.py":
        assert words in text


def test_ragged_lists_are_named():
    with pytest.raises(ValueError, match="text_batches: characters is not an array"):
        datasets.text_batches([[1], [1, 2]], 1, 1)
    with pytest.raises(ValueError, match=r"Vocabulary\.decode: numbers is not an array"):
        datasets.Vocabulary("ab").decode([[1], [1, 0]])

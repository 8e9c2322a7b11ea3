"""Mutated files of every format that rnnlite reads: refused with a sentence, or read right.

formats.py     models, checkpoints, idx and text files: samples, mutants, and the judge of each
mutations.py   bytes and JSON, changed at random
__main__.py    python -m tests.fuzz_formats model --inputs 100000
"""

"""The machine room: loops over flat arrays, compiled by Numba; no validation happens here.

loop.py, layout.py, packing.py, gradients.py, load_store.py    any cell through time and back
product.py, tile.py, transpose.py, simd/, target.py            matrices, out of registers
pairs.py, operands.py                                          and of bfloat16 numbers in pairs
activations.py, dense.py, embedding.py, losses.py, affine.py   what other rooms compute
adam.py, sgd.py                                                the optimizers' passes
jit.py, fingerprint.py, parallel.py                            Numba, its cache, and threads
"""

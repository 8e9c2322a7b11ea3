"""Group: parts of a model that a loop of one's own runs, in one flat array."""

from rnnlite.layers.layer import Layer


class Group(Layer):
    """Layers and models under names, for one optimizer, one clipped norm, one file.

    A group has no forward of its own: a loop runs its parts, as an encoder and a decoder that
    pass a state.  A class derived from it may define ``forward_pass`` and ``backward_pass``.

    Parameters
    ----------
    **parts : Layer
        At least one, all of one dtype, none of them in another model.

    Attributes
    ----------
    params, grads : dict
        Those of the parts, as ``"encoder.Wx"``.

    Examples
    --------
    >>> from rnnlite import LSTM, Adam
    >>> model = Group(encoder=LSTM(3, 4, seed=0), decoder=LSTM(2, 4, seed=1))
    >>> optimizer = Adam(model)
    >>> model.encoder, list(model.params)[-1]
    (LSTM(3, 4), 'decoder.Wh')
    """

    _options = ("parts",)
    _zeroes_padding = True
    _part_name = "{}"

    only_passes_on = True

    def __init__(self, **parts):
        if set(parts) == {"parts"} and isinstance(parts["parts"], dict):  # as a file has them
            parts = parts["parts"]
        where = type(self).__name__
        if not parts:
            raise ValueError(f"{where}: there are no parts; wanted layers by name, encoder=...")
        for name in parts:
            if not name.isidentifier() or hasattr(type(self), name) or name.startswith("_"):
                raise ValueError(f"{where}: a part cannot have the name {name!r}; choose another")
        super().__init__((), None, parts)

    @property
    def parts(self):
        """The layers by name."""
        return dict(self._layers)

    def __getattr__(self, name):
        try:
            return self.__dict__["_layers"][name]
        except KeyError:
            raise AttributeError(f"{type(self).__name__} has no part {name!r}") from None

    def __repr__(self):
        parts = ", ".join(f"{name}={layer!r}" for name, layer in self._layers.items())
        return f"{type(self).__name__}({parts})"

    def check_input(self, where, x, lengths):
        """The parts check what they are given."""
        return x, lengths

    def stream_parts(self, features):
        """None: each part that a loop runs has a stream of its own."""
        raise TypeError("has no forward of its own; make a stream of each of its parts")

    def forward_pass(self, x, saved):
        """A group has none of its own."""
        raise TypeError(
            f"{type(self).__name__} has no forward of its own: call its parts, "
            f"{', '.join(self._layers)}, or derive a class that defines forward_pass"
        )

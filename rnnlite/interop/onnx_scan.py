"""Any cell as ONNX's ``Scan``: its equations, node by node, once for each step.

    x Wx + b          of all steps, one product in front of the loop
    in the loop       z = x's part + h Wh + bh; new_state = step(z, state)
    padding           Where(valid, new_state, state); its output is 0

The equations are the cell's own functions, run once on values that record.
"""

import numpy as np

from rnnlite.interop.onnx_symbols import Symbol


def write_scan(context, key, layer, x, initial):
    """Nodes that run a layer's cell over x (B, T, I).

    Returns a function that gives the name of all outputs (B, T, H), and those of the last states.
    """
    graph, cell, params = context.graph, layer.cell, layer.params
    H, gates, lengths = layer.hidden_size, cell.gates, context.lengths
    Wx, b = (graph.weights(name, params[name]) for name in ("Wx", "b"))
    z_x = graph.add("Add", graph.add("MatMul", x, Wx), b)
    body, direction = graph.body(), int(layer.go_backwards)
    step = _Step(body, layer)
    states = [body.fresh(f"{name}_before") for name in cell.states]
    z_t, valid_t = body.fresh("z_t"), body.fresh("valid_t") if lengths else None
    new_states = step.write(key, z_t, states)
    out = new_states[0]
    if lengths:
        before = zip(new_states, states, strict=True)
        new_states = [body.add("Where", valid_t, new, old) for new, old in before]
        out = body.add("Where", valid_t, out, 0.0)
    y_t = body.add("Identity", out)  # a value may be one output of a body, not two
    new_states = [body.add("Identity", state) for state in new_states]
    scanned = [(z_t, z_x, len(gates) * H)]
    truth = []
    if lengths:
        truth = [graph.onnx.helper.make_tensor_value_info(valid_t, BOOL, [None, 1])]
    number = graph.number_type()

    def described(name, width):
        return graph.onnx.helper.make_tensor_value_info(name, number, [None, width])

    inputs = [described(name, H) for name in states]
    inputs += [described(name, width) for name, _, width in scanned] + truth
    outputs = [described(name, H) for name in (*new_states, y_t)]
    inner = graph.onnx.helper.make_graph(body.nodes, graph.fresh("step"), inputs, outputs)
    over = [z_x, lengths.valid_features] if lengths else [z_x]
    initial = [state or context.zeros(H) for state in initial]
    *last, y = graph.add(
        "Scan", *initial, *over, results=[*(f"{name}_last" for name in cell.states), "y"],
        body=inner, num_scan_inputs=len(over),
        scan_input_axes=[1] * len(over), scan_input_directions=[direction] * len(over),
        scan_output_axes=[1], scan_output_directions=[direction],
    )  # fmt: skip
    return lambda: y, last


BOOL = 9  # onnx.TensorProto.BOOL


class _Step:
    """Writes one step of a layer's cell into the body of a loop."""

    def __init__(self, body, layer):
        self.body, self.layer, self.cell = body, layer, layer.cell
        params, cell = layer.params, layer.cell
        self.p = ()
        if cell.unit_params:
            names = [body.weights(name, params[name]) for name in cell.unit_params]
            self.p = (tuple(map(self._symbol, names)),)

    def write(self, key, z_t, states):
        """The names of the new states, from x's part of z and the states before."""
        body, cell, H = self.body, self.cell, self.layer.hidden_size
        x_parts = dict(zip(cell.gates, body.split(z_t, len(cell.gates), H, "z"), strict=True))
        late = [h for _, h, *after_intermediate in cell.projections if h and after_intermediate]
        early = [gate for gate in cell.gates if gate not in late]
        h_parts = self._products(states[0], early)

        def z_with(h_parts):
            found = []
            for x_gate, h_gate, *_ in cell.projections:
                x_part, h_part = x_parts.get(x_gate), h_parts.get(h_gate)
                both = x_part and h_part
                name = body.add("Add", x_part, h_part) if both else x_part or h_part
                found.append(name if name else body.add("Sub", states[0], states[0]))
            return tuple(map(self._symbol, found))

        state = tuple(map(self._symbol, states))
        if cell.intermediate is not None:
            a = self._run(key, "intermediate", z_with(h_parts), state)
            h_parts |= self._products(a.name, late)
        new_state, _ = self._run(key, "step", z_with(h_parts), state)
        return [value.name for value in new_state]

    def _products(self, h, gates):
        """h Wh + bh for these gates, by name."""
        if not gates:
            return {}
        body, params, H = self.body, self.layer.params, self.layer.hidden_size
        places = [self.cell.gates.index(gate) for gate in gates]
        columns = np.concatenate([np.arange(n * H, (n + 1) * H) for n in places])
        product = body.add("MatMul", h, body.weights("Wh", params["Wh"][:, columns]))
        if self.cell.recurrent_bias:
            product = body.add("Add", product, body.weights("bh", params["bh"][columns]))
        return dict(zip(gates, body.split(product, len(gates), H, "hWh"), strict=True))

    def _run(self, key, name, z, state):
        """The result of an equation, or a sentence on why it has none here."""
        layer = f"layer {key}" if key else repr(self.layer)
        where = f"{layer}: the cell {self.cell.name!r}"
        problem = f"export_onnx: {where} cannot be written as ONNX: {name}"
        try:
            result = getattr(self.cell, name)(z, state, *self.p)
        except Exception as error:  # the equations are a person's own and may raise anything
            raise ValueError(f"{problem}: {str(error).splitlines()[0]}") from error
        values = result[0] if name == "step" else (result,)
        for value in values:
            if not isinstance(value, Symbol) or value.is_truth:
                raise ValueError(f"{problem} returns {value!r:.80}; wanted what it makes of z")
        return result

    def _symbol(self, name):
        return Symbol(self.body, name, self.cell.whole_rows)

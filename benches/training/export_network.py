"""The network as ONNX: float32 for comparison, and int8 as shipped.

The int8 file keeps embeddings as int8 with one scale a row, and the layers' matrices as int8 with one scale a
column; activations are quantised as they come (ONNX Runtime's dynamic quantisation). The heads stay float32.
"""
import pathlib
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from chance import FAR
from encoder import CONTEXT_SHARE, EPS, HEADS, WIDTH
from features import SURFACE

OPSET = 17
LENGTH_COLUMN, OPTIONS_COLUMN = SURFACE.index("log_stem_bytes"), SURFACE.index("options")
EXAM_OPTIONS = .15                 # of the surface's tenths: from two lines with options on a question is an exam's


class Graph:
    """Nodes and constants in order; every call returns the name of its result."""

    def __init__(self):
        self.nodes, self.constants = [], []

    def constant(self, name, value):
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(self, op, inputs, name, **attributes):
        self.nodes.append(helper.make_node(op, inputs, [name], name=name, **attributes))
        return name

    def linear(self, x, name, weight, bias):
        """x · weightᵀ + bias, of a PyTorch linear layer's arrays."""
        product = self.node("MatMul", [x, self.constant(name + ".weight", weight.T)], name + ".matmul")
        return self.node("Add", [product, self.constant(name + ".bias", bias)], name)

    def norm(self, x, name, weight, bias):
        scale, shift = self.constant(name + ".weight", weight), self.constant(name + ".bias", bias)
        return self.node("LayerNormalization", [x, scale, shift], name, axis=-1, epsilon=EPS)

    def gelu(self, x, name):
        erf = self.node("Erf", [self.node("Div", [x, "root2"], name + ".div")], name + ".erf")
        return self.node("Mul", [self.node("Mul", [x, self.node("Add", [erf, "one"], name + ".add")], name + ".mul"), "half"], name)


def rows_int8(table):
    """(int8 table, float32 scale of each row)"""
    scale = np.maximum(np.abs(table).max(1, keepdims=True) / 127, 1e-8).astype(np.float32)
    return np.clip(np.rint(table / scale), -127, 127).astype(np.int8), scale


def embed(g, name, table, ids, small):
    if not small:
        return g.node("Gather", [g.constant(name, table), ids], name + ".rows")
    codes, scale = rows_int8(table)
    rows = g.node("Gather", [g.constant(name + ".int8", codes), ids], name + ".codes")
    rows = g.node("Cast", [rows], name + ".cast", to=TensorProto.FLOAT)
    return g.node("Mul", [rows, g.node("Gather", [g.constant(name + ".scale", scale), ids], name + ".scales")], name + ".rows")


def layer(g, x, wall, at, w):
    p = f"layers.{at}."
    # The root of the head's width goes into the query's weights, which saves a pass over the scores.
    weight, bias = w[p + "qkv.weight"].copy(), w[p + "qkv.bias"].copy()
    weight[:WIDTH] /= np.sqrt(WIDTH // HEADS)
    bias[:WIDTH] /= np.sqrt(WIDTH // HEADS)
    joined = g.linear(x, p + "qkv", weight, bias)
    split = [p + "q", p + "k", p + "v"]
    g.nodes.append(helper.make_node("Split", [joined, "thirds"], split, name=p + "split", axis=-1))
    heads = []
    for name, order in zip(split, ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3])):
        heads.append(g.node("Transpose", [g.node("Reshape", [name, "per_head"], name + ".shaped")], name + ".heads", perm=order))
    scores = g.node("Add", [g.node("MatMul", heads[:2], p + "scores"), wall], p + "masked")
    mixed = g.node("MatMul", [g.node("Softmax", [scores], p + "shares", axis=-1), heads[2]], p + "mixed")
    mixed = g.node("Reshape", [g.node("Transpose", [mixed], p + "mixed.turned", perm=[0, 2, 1, 3]), "joined"], p + "mixed.joined")
    out = g.linear(mixed, p + "out", w[p + "out.weight"], w[p + "out.bias"])
    x = g.norm(g.node("Add", [x, out], p + "sum1"), p + "norm1", w[p + "norm1.weight"], w[p + "norm1.bias"])
    up = g.gelu(g.linear(x, p + "up", w[p + "up.weight"], w[p + "up.bias"]), p + "gelu")
    down = g.linear(up, p + "down", w[p + "down.weight"], w[p + "down.bias"])
    return g.norm(g.node("Add", [x, down], p + "sum2"), p + "norm2", w[p + "norm2.weight"], w[p + "norm2.bias"])


def stated(g, w):
    """The logit of the head that states p_weak, which sees all surface numbers."""
    numbers = g.node("Div", [g.node("Sub", ["surface", g.constant("chance.mean", w["mean"])], "chance.centred"), g.constant("chance.std", w["std"])],
                     "chance.scaled")
    numbers = g.node("Clip", [numbers, g.constant("chance.least", np.float32(-FAR)), g.constant("chance.most", np.float32(FAR))], "chance.bounded")
    both = g.node("Concat", ["embedding", numbers], "chance.both", axis=1)
    hidden = g.gelu(g.linear(both, "chance.hidden", w["hidden.weight"], w["hidden.bias"]), "chance.gelu")
    out = g.linear(hidden, "chance.out", w["out.weight"], w["out.bias"])
    return g.node("Add", [out, g.node("MatMul", [both, g.constant("chance.direct", w["direct.weight"].T)], "chance.direct.matmul")], "chance")


def build(w, layers, chance, mix, exam, small):
    """The graph. `w` holds the network's arrays by name, `chance` those of the head that states p_weak (`chance.py`). `mix` weighs
    the heads' logits, the linear stage's, the length's two forms and the chance, a row each for the three probabilities and for
    ease, which is one minus difficulty; the fifth row and `exam`, which is added to it, are the ease of exam questions."""
    g = Graph()
    for name, value in (("root2", np.float32(np.sqrt(2))), ("one", np.float32(1)), ("half", np.float32(.5)),
                        ("thirds", np.array([WIDTH] * 3, np.int64)), ("per_head", np.array([0, 0, HEADS, WIDTH // HEADS], np.int64)),
                        ("joined", np.array([0, 0, WIDTH], np.int64)), ("far", np.float32(1e4)), ("token_axis", np.array([1], np.int64)),
                        ("wall_axes", np.array([1, 2], np.int64)), ("last_axis", np.array([2], np.int64)), ("zero1", np.array([0], np.int64)),
                        ("two1", np.array([2], np.int64)), ("three1", np.array([3], np.int64)), ("four1", np.array([4], np.int64)), ("five1", np.array([5], np.int64)), ("one1", np.array([1], np.int64)), ("context_loss", np.float32(1 - CONTEXT_SHARE))):
        g.constant(name, value)
    mask = g.node("Cast", ["attention_mask"], "mask", to=TensorProto.FLOAT)
    types = g.node("Cast", ["token_type_ids"], "types", to=TensorProto.FLOAT)
    length = g.node("Slice", [g.node("Shape", ["input_ids"], "shape"), "one1", "two1"], "length")
    places = g.node("Slice", [g.constant("places", w["places.weight"]), "zero1", length, "zero1"], "places.rows")
    x = g.node("Add", [embed(g, "words", w["words.weight"], "input_ids", small), places], "words.placed")
    x = g.node("Add", [x, g.node("Gather", [g.constant("types.table", w["types.weight"]), "token_type_ids"], "types.rows")], "embedded")
    x = g.norm(x, "norm", w["norm.weight"], w["norm.bias"])
    wall = g.node("Mul", [g.node("Sub", [mask, "one"], "absent"), "far"], "wall.flat")
    wall = g.node("Unsqueeze", [wall, "wall_axes"], "wall")
    for at in range(layers):
        x = layer(g, x, wall, at, w)
    share = g.node("Sub", [mask, g.node("Mul", [g.node("Mul", [mask, types], "context"), "context_loss"], "context.less")], "share")
    total = g.node("ReduceSum", [share, "token_axis"], "share.total", keepdims=1)
    summed = g.node("ReduceSum", [g.node("Mul", [x, g.node("Unsqueeze", [share, "last_axis"], "share.wide")], "shared"), "token_axis"],
                    "summed", keepdims=0)
    g.node("Div", [summed, total], "embedding")
    numbers = g.node("Div", [g.node("Sub", ["surface", g.constant("surface.mean", w["mean"])], "surface.centred"),
                             g.constant("surface.std", w["std"])], "surface.scaled")
    both = g.node("Concat", ["embedding", numbers], "both", axis=1)
    hidden = g.gelu(g.linear(both, "hidden", w["hidden.weight"], w["hidden.bias"]), "hidden.gelu")
    logits = g.linear(hidden, "heads", w["heads.weight"], w["heads.bias"])
    logits = g.node("Add", [logits, g.node("MatMul", [numbers, g.constant("direct", w["direct.weight"].T)], "direct.matmul")], "logits")
    # The linear stage's p_weak as a logit, and the question's length; a pasted book is not harder without end.
    sure = g.node("Clip", ["linear", g.constant("least", np.float32(1e-4)), g.constant("most", np.float32(1 - 1e-4))], "linear.sure")
    linear = g.node("Log", [g.node("Div", [sure, g.node("Sub", ["one", sure], "linear.rest")], "linear.odds")], "linear.logit")
    length = g.node("Gather", [numbers, g.constant("length.column", np.array([LENGTH_COLUMN], np.int64))], "length.scaled", axis=1)
    short = g.constant("far_short", np.float32(-2))
    asked = g.node("Clip", [length, short, g.constant("far_long", np.float32(1.5))], "length.bounded")
    examined = g.node("Clip", [length, short, g.constant("far_longer", np.float32(2.5))], "length.exam")
    voices = g.node("Concat", [logits, linear, asked, examined, stated(g, chance)], "voices", axis=1)
    mixed = g.node("MatMul", [voices, g.constant("mix", np.array(mix, np.float32).T)], "mixed")
    g.node("Sigmoid", [g.node("Slice", [mixed, "zero1", "three1", "one1"], "mixed.chances")], "probabilities")
    options = g.node("Gather", ["surface", g.constant("options.column", np.array([OPTIONS_COLUMN], np.int64))], "options", axis=1)
    is_exam = g.node("Greater", [options, g.constant("exam.options", np.float32(EXAM_OPTIONS))], "exam")
    ease = g.node("Slice", [mixed, "three1", "four1", "one1"], "ease.asked")
    in_exam = g.node("Add", [g.node("Slice", [mixed, "four1", "five1", "one1"], "ease.exam.mixed"), g.constant("exam.ease", np.float32(exam))],
                     "ease.exam")
    ease = g.node("Sigmoid", [g.node("Where", [is_exam, in_exam, ease], "ease.logit")], "ease")
    g.node("Sub", ["one", ease], "difficulty")
    whole = ["batch", "tokens"]
    graph = helper.make_graph(
        g.nodes, "waypost-network",
        [helper.make_tensor_value_info(n, TensorProto.INT64, whole) for n in ("input_ids", "attention_mask", "token_type_ids")]
        + [helper.make_tensor_value_info("surface", TensorProto.FLOAT, ["batch", len(SURFACE)]),
           helper.make_tensor_value_info("linear", TensorProto.FLOAT, ["batch", 1])],
        [helper.make_tensor_value_info("difficulty", TensorProto.FLOAT, ["batch", 1]),
         helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 3]),
         helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", WIDTH])], g.constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8, producer_name="waypost")
    onnx.checker.check_model(model)
    return model


def wide(w, columns):
    """The arrays with the surface's used columns spread over all of them, so that the host feeds what it has."""
    w = dict(w)
    full = len(SURFACE)
    def spread(matrix, rest):
        out = np.zeros((matrix.shape[0], rest + full), np.float32)
        out[:, :rest] = matrix[:, :rest]
        out[:, [rest + c for c in columns]] = matrix[:, rest:]
        return out
    w["hidden.weight"], w["direct.weight"] = spread(w["hidden.weight"], WIDTH), spread(w["direct.weight"], 0)
    mean, std = np.zeros(full, np.float32), np.ones(full, np.float32)
    mean[columns], std[columns] = w["mean"], w["std"]
    w["mean"], w["std"] = mean, std
    return w


def write(w, layers, chance, mix, exam, path, fp32=None):
    """Writes the int8 file, and where asked the float32 one."""
    if fp32:
        onnx.save(build(w, layers, chance, mix, exam, small=False), str(fp32))
    with tempfile.TemporaryDirectory() as folder:
        plain = pathlib.Path(folder) / "plain.onnx"
        onnx.save(build(w, layers, chance, mix, exam, small=True), str(plain))
        heads = ["hidden.matmul", "heads.matmul", "direct.matmul", "mixed", "chance.hidden.matmul", "chance.out.matmul", "chance.direct.matmul"]
        quantize_dynamic(plain, path, op_types_to_quantize=["MatMul"], per_channel=True, weight_type=QuantType.QInt8, nodes_to_exclude=heads,
                         extra_options={"MatMulConstBOnly": True})

"""Writes the trained head as ONNX (int8 embeddings) and the declaration that the gateway reads beside it."""
import hashlib
import json

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import features as f


def graph(mix):
    """ids int64 [n], weights float [1, n], surface float [1, k] -> p_weak float [1, 1]."""
    dims = [h.p["E"].shape[1] for h in mix.heads]
    dim = sum(dims)
    table = np.concatenate([h.p["E"] for h in mix.heads], axis=1)
    scale = np.maximum(np.abs(table).max(axis=0), 1e-8) / 127
    table = np.rint(table / scale).astype(np.int8)
    # One layer takes it all: each head's hidden units with its own embedding columns, the heads' linear paths summed
    # (x = relu(x) - relu(-x)), the scale of the table and the standardising of the surface.
    columns, biases, outs, offset = [], [], [], 0.0
    linear, linear_bias, first = np.zeros(dim + len(f.SURFACE)), 0.0, 0
    for h, share in zip(mix.heads, mix.shares):
        own = slice(first, first + h.p["E"].shape[1])
        rows = np.r_[own, dim:dim + len(f.SURFACE)]
        first = own.stop
        w, a = h.p["W"].astype(np.float64), h.p["a"].astype(np.float64)
        w[-len(f.SURFACE):] *= (h.uses / h.std)[:, None]
        a[-len(f.SURFACE):] *= h.uses / h.std
        columns.append(np.zeros((dim + len(f.SURFACE), w.shape[1])))
        columns[-1][rows] = w
        biases.append(h.p["b"] - h.mean @ w[-len(f.SURFACE):])
        outs.append(share * h.p["v"])
        linear[rows] += share * a
        linear_bias -= share * (h.mean @ a[-len(f.SURFACE):])
        offset += share * float(h.p["c"][0])
    h = mix.heads[0]
    linear[dim] -= mix.length / h.std[0]
    linear_bias += mix.length * h.mean[0] / h.std[0]
    wide = np.concatenate(columns + [linear[:, None], -linear[:, None]], axis=1)
    wide[:dim] *= scale[:, None]
    bias = np.concatenate(biases + [[linear_bias, -linear_bias]])
    out = np.concatenate(outs + [[1, -1]])[:, None]
    tensors = {"table": table, "wide": wide.astype(np.float32), "bias": bias.astype(np.float32),
               "out": out.astype(np.float32), "offset": np.array([offset], np.float32)}
    nodes = [helper.make_node("Gather", ["table", "ids"], ["rows8"]),
             helper.make_node("Cast", ["rows8"], ["rows"], to=TensorProto.FLOAT),
             helper.make_node("MatMul", ["weights", "rows"], ["bag"]),
             helper.make_node("Concat", ["bag", "surface"], ["joined"], axis=1),
             helper.make_node("Gemm", ["joined", "wide", "bias"], ["hidden"]),
             helper.make_node("Relu", ["hidden"], ["active"]),
             helper.make_node("Gemm", ["active", "out", "offset"], ["logit"]),
             helper.make_node("Sigmoid", ["logit"], ["p_weak"])]
    inputs = [helper.make_tensor_value_info("ids", TensorProto.INT64, ["n"]),
              helper.make_tensor_value_info("weights", TensorProto.FLOAT, [1, "n"]),
              helper.make_tensor_value_info("surface", TensorProto.FLOAT, [1, len(f.SURFACE)])]
    outputs = [helper.make_tensor_value_info("p_weak", TensorProto.FLOAT, [1, 1])]
    body = helper.make_graph(nodes, "waypost-linear", inputs, outputs,
                             [numpy_helper.from_array(v, k) for k, v in tensors.items()])
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="waypost")
    onnx.checker.check_model(model)
    return model


def write(mix, folder, name):
    """model.onnx and declaration.json; returns the path of the model."""
    folder.mkdir(parents=True, exist_ok=True)
    model = graph(mix)
    raw = model.SerializeToString()
    (folder / "model.onnx").write_bytes(raw)
    declaration = {
        "format": 1,
        "name": name,
        "stage": "linear",
        "model_sha256": hashlib.sha256(raw).hexdigest(),
        "inputs": {
            "ids": {"name": "ids", "type": "int64", "shape": ["n"], "meaning": "distinct hashed n-gram buckets"},
            "weights": {"name": "weights", "type": "float32", "shape": [1, "n"], "meaning": "one weight per bucket, of length 1 together"},
            "surface": {"name": "surface", "type": "float32", "shape": [1, len(f.SURFACE)], "meaning": f.SURFACE},
        },
        "output": {"name": "p_weak", "type": "float32", "shape": [1, 1],
                   "meaning": "probability that a weak-tier model answers well; difficulty is one minus it"},
        "features": {"hash": "fnv1a64-codepoints", "buckets": len(mix.heads[0].p["E"]), "word_ngrams": [1, 2], "char_ngram": f.CHAR_N,
                     "token_max": f.TOKEN_MAX, "head_bytes": f.HEAD, "tail_bytes": f.TAIL, "part_bytes": f.PART,
                     "context_bytes": f.CONTEXT, "context_weight": f.CONTEXT_WEIGHT},
    }
    (folder / "declaration.json").write_text(json.dumps(declaration, indent=2) + "\n", encoding="utf-8")
    return folder / "model.onnx"

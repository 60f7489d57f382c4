"""A smaller vocabulary for the network: the word pieces that the training texts use, every single sign, and the
commonest words of the starting vocabulary (which is ordered by how common they are). A word whose piece is gone
falls apart into smaller ones, as rare words always did, so nothing becomes unreadable."""
import collections
import json

import numpy as np
import tokenizers

SIZE = 15000
COMMON = 8000                      # ids below this stay: marks, signs and the commonest words


def choose(source, texts, size=SIZE):
    """The ids to keep, ascending, of the tokenizer file `source`."""
    whole = json.loads(source.read_text(encoding="utf-8"))
    pieces = whole["model"]["vocab"]
    tokenizer = tokenizers.Tokenizer.from_file(str(source))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    seen = collections.Counter()
    for first in range(0, len(texts), 1000):
        for encoding in tokenizer.encode_batch(texts[first:first + 1000], add_special_tokens=False):
            seen.update(encoding.ids)
    keep = {i for piece, i in pieces.items() if len(piece.removeprefix("##")) == 1}
    keep |= {i for piece, i in pieces.items() if i < COMMON and not piece.startswith("[unused")}
    for i, _ in sorted(seen.items(), key=lambda entry: (-entry[1], entry[0])):
        if len(keep) >= size:
            break
        keep.add(i)
    return np.array(sorted(keep))


def write(source, keep, path):
    """Writes the tokenizer with only these pieces, renumbered in their old order, without padding and cutting."""
    whole = json.loads(source.read_text(encoding="utf-8"))
    new = {int(old): at for at, old in enumerate(keep)}
    whole["model"]["vocab"] = {piece: new[i] for piece, i in sorted(whole["model"]["vocab"].items(), key=lambda e: e[1]) if i in new}
    for token in whole["added_tokens"]:
        token["id"] = new[token["id"]]
    for token in whole["post_processor"]["special_tokens"].values():
        token["ids"] = [new[i] for i in token["ids"]]
    whole["truncation"] = whole["padding"] = None
    path.write_text(json.dumps(whole, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")

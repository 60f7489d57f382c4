"""How a conversation becomes the network's inputs; the Rust twin is src/classify/text.rs.

A prompt is a list of parts (role, text). The focus is the last part with role "user" (the last of all if there is
none). Everything else is context. The sequence is

    [CLS] focus [SEP] context [SEP]        token types 0 for the focus and its marks, 1 for the context and its mark

and ends after the first [SEP] if there is no context. A focus of more than HEAD + TAIL bytes is read as these two
pieces, each tokenised alone. Of the focus's tokens the first and the last TAIL_TOKENS stay where there are too many;
of the context the last CONTEXT_TOKENS. Tools and attachments enter as numbers, never as text.
"""
import numpy as np
import tokenizers

import features

MAX_TOKENS = 256                   # of the whole sequence, marks included
TAIL_TOKENS = 64
CONTEXT_TOKENS = 48


class Reader:
    def __init__(self, tokenizer, limit=MAX_TOKENS):
        self.tokenizer = tokenizers.Tokenizer.from_file(str(tokenizer)) if not hasattr(tokenizer, "encode") else tokenizer
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()
        self.cls, self.sep = (self.tokenizer.token_to_id(mark) for mark in ("[CLS]", "[SEP]"))
        self.limit = limit

    def ids(self, pieces):
        return [i for piece in pieces for i in self.tokenizer.encode(piece, add_special_tokens=False).ids]

    def read(self, parts):
        """(input ids, token types) of a conversation."""
        focus, context, *_ = features.read(parts)
        focus = self.ids(focus)
        # `features.read` gives the context newest first; a reader sees it in the order it was said.
        context = self.ids(context[::-1])[-CONTEXT_TOKENS:]
        room = self.limit - 2 - (len(context) + 1 if context else 0)
        if len(focus) > room:
            focus = focus[:room - TAIL_TOKENS] + focus[-TAIL_TOKENS:]
        ids, types = [self.cls, *focus, self.sep], [0] * (len(focus) + 2)
        if context:
            ids, types = ids + context + [self.sep], types + [1] * (len(context) + 1)
        return np.array(ids, np.int64), np.array(types, np.int64)

"""Hashed n-grams and surface features of a prompt: the Python twin of src/classify/features.rs.

Both must give the same numbers: `golden.py` writes vectors from this file, a Rust test compares them.
Everything works on code points with fixed ranges, so that no Unicode table (which differ by version) matters.

A prompt is a list of parts (role, text). The last part with role "user" is the focus (the last part of all if
there is none); the parts before it are context, most recent first, at a lower weight. What comes after the
focus (an assistant's tool call, a tool's result) is context too.
"""
import numpy as np

BUCKETS = 1 << 16
HEAD, TAIL = 3072, 1024            # bytes read of a longer focus
PART, CONTEXT = 512, 1536          # bytes read of the end of a context part, and of all context together
CONTEXT_WEIGHT = 0.25
TOKEN_MAX = 24                     # code points; a longer run is cut into tokens of this length
CHAR_N = 4
OFFSET, PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)
np.seterr(over="ignore")               # hashes wrap at 64 bits on purpose
KIND_WORD, KIND_PAIR, KIND_CHARS = 1, 2, 3
SURFACE = ["log_stem_bytes", "log_stem_tokens", "log_option_bytes", "token_length", "digit_share", "math_share", "log_math", "code_share",
           "other_script_share", "wide_share", "log_lines", "questions", "ends_with_question", "upper_share",
           "options", "log_numbers", "longest_number", "log_backslashes", "log_sentences", "sentence_length",
           "log_context_bytes", "log_context_parts", "tools", "images"]

SPACE, WORD, DIGIT, WIDE, SYMBOL = range(5)
LIMIT = 0x110000


def _tables():
    c = np.arange(LIMIT, dtype=np.uint32)
    fold = c.copy()
    def shift(first, last, by):
        fold[first:last + 1] += np.uint32(by)
    shift(0x41, 0x5A, 32)
    shift(0xC0, 0xD6, 32)
    shift(0xD8, 0xDE, 32)
    shift(0x391, 0x3A9, 32)
    shift(0x400, 0x40F, 80)
    shift(0x410, 0x42F, 32)
    fold[0x30:0x3A] = 0x30                                    # every digit reads as 0
    kind = np.full(LIMIT, WORD, np.uint8)
    for first, last in [(0x21, 0x2F), (0x3A, 0x40), (0x5B, 0x5E), (0x60, 0x60), (0x7B, 0x7E), (0xA1, 0xA9),
                        (0xAB, 0xB4), (0xB6, 0xB9), (0xBB, 0xBF), (0xD7, 0xD7), (0xF7, 0xF7), (0x60C, 0x60C),
                        (0x61B, 0x61F), (0x66A, 0x66D), (0x2010, 0x2027), (0x2030, 0x205E), (0x2070, 0x2BFF),
                        (0x3001, 0x303F), (0xFF01, 0xFF0F), (0xFF1A, 0xFF20), (0xFF3B, 0xFF40), (0xFF5B, 0xFF65),
                        (0x1F000, 0x1FAFF)]:
        kind[first:last + 1] = SYMBOL
    for first, last in [(0x00, 0x20), (0x7F, 0xA0), (0x2000, 0x200F), (0x2028, 0x202F), (0x205F, 0x206F),
                        (0x3000, 0x3000), (0xFEFF, 0xFEFF)]:
        kind[first:last + 1] = SPACE
    for first, last in [(0x0E00, 0x0E7F), (0x3040, 0x30FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xAC00, 0xD7AF),
                        (0xF900, 0xFAFF), (0x20000, 0x2FFFF)]:
        kind[first:last + 1] = WIDE                           # scripts without spaces: each sign is a token
    kind[0x30:0x3A] = DIGIT
    math = np.zeros(LIMIT, bool)
    for s in "\\^=+*/<>$|":
        math[ord(s)] = True
    for first, last in [(0xB1, 0xB3), (0xD7, 0xD7), (0xF7, 0xF7), (0x2070, 0x209F), (0x2190, 0x22FF)]:
        math[first:last + 1] = True
    code = np.zeros(LIMIT, bool)
    for s in "{}()[];_`#=<>&|":
        code[ord(s)] = True
    question = np.zeros(LIMIT, bool)
    for s in "?？؟":
        question[ord(s)] = True
    stop = question.copy()
    for s in ".!。！":
        stop[ord(s)] = True
    return fold, kind, math, code, question, stop


FOLD, KIND, MATH, CODE, QUESTION, STOP = _tables()


def cut(text, head=HEAD, tail=TAIL):
    """The pieces of a focus that are read: all of it, or its head and tail, cut at character borders."""
    raw = text.encode("utf-8")
    if len(raw) <= head + tail:
        return [text]
    end, start = head, len(raw) - tail
    while raw[end] & 0xC0 == 0x80:
        end -= 1
    while start < len(raw) and raw[start] & 0xC0 == 0x80:
        start += 1
    return [raw[:end].decode("utf-8"), raw[start:].decode("utf-8")]


def read(parts):
    """(pieces of the focus, pieces of context, bytes of the focus, bytes of all context, context parts)"""
    users = [i for i, (role, _) in enumerate(parts) if role == "user"]
    if not parts:
        return [""], [], 0, 0, 0
    focus = users[-1] if users else len(parts) - 1
    context, room = [], CONTEXT
    others = [i for i in range(len(parts) - 1, -1, -1) if i != focus]
    for i in others:
        pieces = cut(parts[i][1], 0, min(PART, room))
        piece = pieces[-1]
        if piece:
            context.append(piece)
            room -= len(piece.encode("utf-8"))
        if room == 0:
            break
    text = parts[focus][1]
    return (cut(text), context, len(text.encode("utf-8")),
            sum(len(parts[i][1].encode("utf-8")) for i in others), len(others))


def _step(h, x):
    return (h ^ x.astype(np.uint64) if hasattr(x, "astype") else h ^ np.uint64(x)) * PRIME


def _bucket(h):
    h = h ^ (h >> np.uint64(29))
    h = h * np.uint64(0xBF58476D1CE4E5B9)
    h = h ^ (h >> np.uint64(32))
    return (h & np.uint64(BUCKETS - 1)).astype(np.int64)


def piece_features(text):
    """(bucket ids of a piece in the order of the Rust code is not kept; the set is what counts, counts for surface)"""
    raw = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    kind, folded = KIND[raw], FOLD[raw]
    n = len(raw)
    ids = []
    # tokens: runs of word signs and digits (cut at TOKEN_MAX), single wide signs, single symbols
    solid = kind != SPACE
    run = (kind == WORD) | (kind == DIGIT)
    prev_run = np.concatenate([[False], run[:-1]]) if n else run
    start = solid & ~(run & prev_run)
    if n and run.any():
        first = np.maximum.accumulate(np.where(start, np.arange(n), 0))
        start |= run & ((np.arange(n) - first) % TOKEN_MAX == 0)
    at = np.flatnonzero(start)
    if len(at):
        owner = np.cumsum(start) - 1
        length = np.bincount(owner[solid], minlength=len(at))
        h = np.full(len(at), _step(OFFSET, KIND_WORD))
        for k in range(int(length.max())):
            here = length > k
            h[here] = _step(h[here], folded[at[here] + k])
        ids.append(_bucket(h))
        if len(at) > 1:
            ids.append(_bucket(_step(_step(_step(OFFSET, KIND_PAIR), h[:-1]), h[1:])))
    else:
        length = np.zeros(0, np.int64)
    # character n-grams over the folded text: each run of spaces is one, and one stands at either end
    keep = solid.copy()
    if n:
        keep[1:] |= (~solid[1:]) & solid[:-1]
        line = np.concatenate([[32], np.where(solid, folded, 32)[keep], [32]]).astype(np.uint64)
        if not solid[-1]:
            line = line[:-1]
        if len(line) >= CHAR_N:
            m = len(line) - CHAR_N + 1
            h = np.full(m, _step(OFFSET, KIND_CHARS))
            for k in range(CHAR_N):
                h = _step(h, line[k:k + m])
            ids.append(_bucket(h))
    numbers = 0
    longest = 0
    if n:
        digit = kind == DIGIT
        begins = digit & ~np.concatenate([[False], digit[:-1]])
        numbers = int(begins.sum())
        if numbers:
            longest = int(np.bincount(np.cumsum(begins)[digit]).max())
    option_lines = 0
    option_at = None
    if n >= 3:
        # "A. ", "A) " or "(A" at the beginning of a line, A to J
        begin = np.concatenate([[True], raw[:-1] == 10])
        letter = (raw >= 0x41) & (raw <= 0x4A)
        mark = (raw == 0x2E) | (raw == 0x29)
        plain = begin[:-2] & letter[:-2] & mark[1:-1] & (raw[2:] == 32)
        bracket = begin[:-2] & (raw[:-2] == 0x28) & letter[1:-1] & (raw[2:] == 0x29)
        options = np.flatnonzero(plain | bracket)
        option_lines = len(options)
        option_at = int(options[0]) if option_lines else None
    counts = dict(chars=n, solid=int(solid.sum()), tokens=len(at), digits=int((kind == DIGIT).sum()), math=int(MATH[raw].sum()),
                  code=int(CODE[raw].sum()), other=int((raw >= 0x80).sum()), wide=int((kind == WIDE).sum()),
                  lines=int((raw == 10).sum()), questions=int(QUESTION[raw].sum()),
                  upper=int(((raw >= 0x41) & (raw <= 0x5A)).sum()), options=option_lines, numbers=numbers,
                  longest=longest, backslashes=int((raw == 0x5C).sum()), stops=int(STOP[raw].sum()))
    # The first option line: bytes of this piece from there on, tokens of it before
    counts["rest"] = len(text[option_at:].encode("utf-8")) if option_at is not None else None
    counts["before"] = int((at < option_at).sum()) if option_at is not None else None
    counts["ends"] = bool(solid.any() and QUESTION[raw[np.flatnonzero(solid)[-1]]])
    return (np.concatenate(ids) if ids else np.zeros(0, np.int64)), counts


def features(parts, tools=0, images=0):
    """(ids, weights, surface): distinct buckets with weights of length 1, and len(SURFACE) numbers near 0…2."""
    pieces, context, size, context_bytes, context_parts = read(parts)
    got = [piece_features(p) for p in pieces]
    focus = np.unique(np.concatenate([g[0] for g in got]))
    around = np.zeros(0, np.int64)
    if context:
        around = np.setdiff1d(np.concatenate([piece_features(p)[0] for p in context]), focus)
    ids = np.concatenate([focus, around])
    weights = np.concatenate([np.ones(len(focus)), np.full(len(around), CONTEXT_WEIGHT)])
    norm = np.sqrt((weights ** 2).sum())
    if norm:
        weights = weights / norm
    c = {k: sum(g[1][k] for g in got) for k in got[0][1] if k not in ("rest", "before")}
    # The stem of a multiple-choice question is what stands before its first option; else it is everything.
    stem_bytes, stem_tokens = size, c["tokens"]
    if got[0][1]["rest"] is not None:
        stem_bytes = len(pieces[0].encode("utf-8")) - got[0][1]["rest"]
        stem_tokens = got[0][1]["before"]
    elif got[-1][1]["rest"] is not None:
        stem_bytes = size - got[-1][1]["rest"]
        stem_tokens = c["tokens"] - got[-1][1]["tokens"] + got[-1][1]["before"]
    per_option = (size - stem_bytes) / max(c["options"], 1)
    c["longest"] = max(g[1]["longest"] for g in got)
    ends = got[-1][1]["ends"]
    solid, tokens = max(c["solid"], 1), max(c["tokens"], 1)
    log = np.log1p
    surface = [log(stem_bytes) / 4, log(stem_tokens) / 4, log(per_option) / 4, (c["solid"] / tokens) / 5, c["digits"] / solid, 4 * c["math"] / solid,
               log(c["math"]) / 3, 4 * c["code"] / solid, c["other"] / solid, c["wide"] / solid, log(c["lines"]) / 3,
               min(c["questions"], 4) / 4, float(ends), 4 * c["upper"] / solid, min(c["options"], 10) / 10,
               log(c["numbers"]) / 3, min(c["longest"], 12) / 6, log(c["backslashes"]) / 3, log(c["stops"]) / 3,
               log(c["tokens"] / (c["stops"] + 1)) / 3, log(context_bytes) / 8, log(context_parts) / 2,
               min(tools, 8) / 8, min(images, 4) / 4]
    return ids, weights.astype(np.float32), np.array(surface, np.float32)

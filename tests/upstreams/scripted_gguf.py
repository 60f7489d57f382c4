"""Writes a GGUF whose weights are a script, so that a real llama.cpp server says exactly what a test needs.

    scripted_gguf.py OUT.gguf TEMPLATE.jinja

Embeddings are one-hot, attention and feed-forward are zero, so the last hidden state is the last token, and the output
matrix is a table of which token follows which. The chat template ends each prompt with `<|go:NAME|>`, the first token
of script NAME; it takes NAME from `SCRIPT=NAME` in the last user message that has one, else from a known tool in the
request, else `joke_json` where a joke is asked for, else `text`.
"""

import sys

import gguf
import numpy as np


def call(name: str, arguments: str) -> str:
    return '<tool_call>\n{"name": "%s", "arguments": %s}\n</tool_call>' % (name, arguments)


# What the model says, by name. `None` never ends: tick, tock, tick … until the client's max_tokens, or its hang-up.
SCRIPTS = {
    "text": "Hello! I am a tiny model. 你好, naïve café 👋🏽 done.",
    "think": "<think>\nFirst I plan, then I answer.\n</think>\n\nThe answer is 42.",
    "tool": call("get_weather", '{"city": "Paris"}'),
    "tools2": call("get_weather", '{"city": "Rome"}') + "\n" + call("get_time", '{"tz": "UTC"}'),
    "after_tool": "It is 21 degrees there, with light wind.",
    "json": '{"a": 7, "b": ["x", "y"]}',
    "stopword": "one two three STOP four five",
    "long": " ".join(f"w{i}" for i in range(200)),
    "get_weather": call("get_weather", '{"location": "San Francisco, CA"}'),
    # a model that always thinks first, as DeepSeek R1 does, in a tool loop
    "think_tool": "<think>\nThe weather is asked for.\n</think>\n\n" + call("get_weather", '{"location": "Oslo"}'),
    "think_after_tool": "<think>\nThe tool has said it.\n</think>\n\nOslo has 21 degrees.",
    # the tools of LangChain's own integration tests
    "magic_function": call("magic_function", '{"input": 3}'),
    "magic_function_no_args": call("magic_function_no_args", "{}"),
    "greeting_generator": call("greeting_generator", '{"answer_style": "pirate"}'),
    "unicode_customer": call(
        "unicode_customer",
        '{"customer_name": "你好啊集团", "description": "Hello Group, a Chinese technology company"}',
    ),
    "Joke": call("Joke", '{"setup": "Why did the cat cross the road?", "punchline": "To reach the fish 🐟."}'),
    "joke": call("joke", '{"setup": "Why did the cat sit?", "punchline": "Because."}'),
    "joke_json": '{"setup": "Why did the cat cross the road?", "punchline": "To reach the fish."}',
    "my_adder_tool": call("my_adder_tool", '{"a": 3, "b": 4}'),
    "loop": None,
}

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, BYTE = 1, 2, 3, 4, 6  # llama.cpp's token types
END = 2


class Vocabulary:
    """Tokens, and which of them follows which."""

    def __init__(self) -> None:
        self.tokens = [b"<unk>", b"<s>", b"</s>"]
        self.types = [UNKNOWN, CONTROL, CONTROL]
        self.follower: dict[int, int] = {}
        for byte in range(256):
            self.add(f"<0x{byte:02X}>", BYTE)
        for mark in ("<think>", "</think>", "<tool_call>", "</tool_call>"):
            self.add(mark, USER_DEFINED)
        for mark in ("<|im_start|>", "<|im_end|>"):
            self.add(mark, CONTROL)

    def add(self, token: str | bytes, kind: int) -> int:
        self.tokens.append(token if isinstance(token, bytes) else token.encode())
        self.types.append(kind)
        return len(self.tokens) - 1

    def add_script(self, name: str, text: str | None) -> None:
        last = self.add(f"<|go:{name}|>", CONTROL)
        if text is None:
            tick, tock = self.add("▁tick", NORMAL), self.add("▁tock", NORMAL)
            self.follower |= {last: tick, tick: tock, tock: tick}
            return
        for piece in self.pieces(text.replace(" ", "▁"), 4 if name == "long" else 3):
            token = self.add(piece, NORMAL)
            self.follower[last] = token
            last = token
        self.follower[last] = END

    def pieces(self, text: str, shortest: int) -> list[bytes]:
        """Cuts `text` into tokens that no other script uses, for a token can have only one follower."""
        taken = set(self.tokens)
        cuts: list[bytes] = []
        # Depth first, with the positions and lengths still to be tried kept by hand: scripts are long.
        tries = [self.lengths(text, 0, shortest)]
        positions = [0]
        while positions[-1] < len(text):
            at = positions[-1]
            for length in tries[-1]:
                piece = text[at : at + length].encode()
                if piece not in taken:
                    taken.add(piece)
                    cuts.append(piece)
                    positions.append(at + length)
                    tries.append(self.lengths(text, at + length, shortest))
                    break
            else:
                if not cuts:
                    raise ValueError(f"no unused tokens can spell {text!r}")
                taken.discard(cuts.pop())
                positions.pop()
                tries.pop()
        return cuts

    @staticmethod
    def lengths(text: str, at: int, shortest: int):
        left = len(text) - at
        return iter(list(range(shortest, min(70, left) + 1)) or [left])


def write(out: str, template: str, words: Vocabulary) -> None:
    count = len(words.tokens)
    size = (count + 63) // 64 * 64
    writer = gguf.GGUFWriter(out, "llama")
    writer.add_name("scripted")
    writer.add_context_length(8192)
    writer.add_embedding_length(size)
    writer.add_block_count(1)
    writer.add_feed_forward_length(32)
    writer.add_head_count(size // 64)
    writer.add_head_count_kv(1)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(64)
    writer.add_vocab_size(count)
    writer.add_file_type(0)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(words.tokens)
    writer.add_token_scores([-1000.0 - i for i in range(count)])
    writer.add_token_types(words.types)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(END)
    writer.add_unk_token_id(0)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(template)

    embedding = np.zeros((count, size), np.float16)
    embedding[np.arange(count), np.arange(count)] = 1
    output = np.zeros((count, size), np.float16)
    for token in range(count):
        output[words.follower.get(token, END), token] = 8  # large enough that sampling never picks another
    tensors = {
        "token_embd": embedding,
        "output": output,
        "output_norm": np.ones(size, np.float32),
        "blk.0.attn_norm": np.ones(size, np.float32),
        "blk.0.ffn_norm": np.ones(size, np.float32),
    }
    for name, shape in {
        "attn_q": (size, size), "attn_k": (64, size), "attn_v": (64, size), "attn_output": (size, size),
        "ffn_gate": (32, size), "ffn_up": (32, size), "ffn_down": (size, 32),
    }.items():
        tensors[f"blk.0.{name}"] = np.zeros(shape, np.float16)
    for name, tensor in tensors.items():
        writer.add_tensor(f"{name}.weight", tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main() -> int:
    out, template = sys.argv[1:3]
    words = Vocabulary()
    for name, text in SCRIPTS.items():
        words.add_script(name, text)
    with open(template, encoding="utf-8") as file:
        write(out, file.read(), words)
    print(f"{out}: {len(words.tokens)} tokens, scripts {' '.join(SCRIPTS)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

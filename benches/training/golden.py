"""Golden vectors for the Rust twin of features.py: prompts, what they turn into, and the score of the shipped file."""
import json

import features as f

LONG = "Explain the following log and find the fault. " + " ".join(f"line {i}: worker {i % 7} took {i * 37 % 991} ms\n" for i in range(400))
EXTRA = ["", " ", "hi", "HI!", "ÀÉÎ ÖÜ ß", "ΑΒΓ αβγ ΣΊΣΥΦΟΣ", "ПРИВЕТ Ёжик", "Straße_mit_unterstrichen x1y22z333", "１２３ ＡＢＣ，全角",
         "a" * 100, "é" * 3000, "词" * 2000, "🙂🙂 ok 🙂", "ไทยไม่มีช่องว่าง", "한국어 문장입니다.", "日本語のテキスト、混ぜて English と。",
         "مرحبا، كيف حالك؟ 123", "שלום עולם", "हिन्दी में एक वाक्य।", "tabs\tand\r\nlines\n\n\n", "\u00a0\u200bnbsp\ufeff", "A. one\nB) two\n(C) three\nK. no\nA.x",
         "$\\int_0^\\infty e^{-x^2}\\,dx = \\frac{\\sqrt{\\pi}}{2}$", "fn main() { println!(\"{}\", 1 << 3); }", "∀ε>0 ∃δ: |x−y|<δ ⇒ |f(x)−f(y)|<ε ± ×",
         "What is it?\nA. one thing\nB. another\nAnswer:", "Q" * 5000 + "\nA) late\nB) later", "C. first\nline", "é\n(A) x\n(B) y\n\nD. z", "\nA. \n\n",
         "Text A. one\nA.\nB. yes é word\n" + "z" * 4000 + "\nC. no", "combining e\u0301 a\u0308 \u0000 null \u007f del", "𝔸𝔹ℂ 𝒳 \U0002A6B2", LONG, LONG + "？", "x" * 4096, "y" * 4097, "What? Really?? 3.14159 2,718,281"]


def cases(here):
    """(parts, tools, images) of every golden case."""
    result = [([("user", text)], 0, 0) for text in EXTRA]
    for name in ("heldout_own.jsonl", "anchors_own.jsonl"):
        prompts = [json.loads(line)["prompt"] for line in open(here / name, encoding="utf-8")]
        result += [([("user", p)], 0, 0) for p in (prompts if name.startswith("held") else prompts[::40])]
    result += [([("system", "You are terse."), ("user", "Prove Fermat's little theorem."), ("assistant", "…"), ("user", "thanks")], 0, 0),
               ([("user", LONG), ("assistant", LONG[::-1]), ("user", "Und jetzt kürzer?"), ("assistant", "calls a tool"), ("tool", "{\"ok\": true}")], 3, 2),
               ([("system", "语" * 700), ("user", "é" * 200), ("assistant", "x" * 600), ("user", "next")], 20, 9),
               ([("system", "only a system text")], 1, 0), ([("assistant", "no user"), ("tool", "at all")], 0, 1),
               ([("user", "")], 0, 0), ([("user", "a"), ("user", "")], 0, 0), ([], 0, 0)]
    return result


def digest(ids):
    """FNV-1a over the sorted ids, as the Rust test computes it."""
    h = 0xCBF29CE484222325
    for i in sorted(int(i) for i in ids):
        h = ((h ^ i) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{h:016x}"


def write(score, here, path):
    """`score(ids, weights, surface)` gives p_weak by the written file."""
    lines = []
    for parts, tools, images in cases(here):
        ids, weights, surface = f.features(parts, tools, images)
        lines.append(json.dumps({
            "parts": parts, "tools": tools, "images": images, "ids": len(ids), "ids_digest": digest(ids),
            "weight_min": float(min(weights, default=0)), "weight_max": float(max(weights, default=0)),
            "surface": [round(float(x), 6) for x in surface], "p_weak": round(score(ids, weights, surface), 6)}, ensure_ascii=False))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")

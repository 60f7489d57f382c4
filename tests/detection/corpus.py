#!/usr/bin/env python3
"""Writes the corpus that detection is measured on: made-up code, logs, chat and prose with true values put in, and
without. Every name, number and key in it is drawn at random; check digits are computed here, by other code than that
which looks for them.

    python3 tests/detection/corpus.py --out tests/detection/corpus.jsonl.gz
    python3 tests/detection/corpus.py --seed 2 --out another.jsonl.gz

It is packed so that nobody's scanner takes its made-up keys for real ones.

A line is {"kind", "text", "values": [[detector, value], …]}. What looks like a value and is none stands in the text
and not in `values`.
"""

import argparse
import gzip
import json
import random
import string
import uuid

FIRST = "anna ben carla david elena farid greta hugo ines jonas katrin luca maria nina omar paula quentin rosa sven tara umut vera walter xenia yusuf zoe".split()
LAST = "maier rossi dupont garcia novak jensen smith okafor haddad tanaka silva kowalski brandt moreau ferrari lopez larsen murphy weber conti".split()
HOSTS = "firma.de studio-nord.com posta.it correo.es courrier.fr mail.acme.co.uk nordlicht.io uni-beispiel.edu klinik.health shop24.net post.at web.swiss".split()
UPPER_DIGITS = string.ascii_uppercase + string.digits
BASE62 = string.ascii_letters + string.digits


class Maker:
    def __init__(self, seed):
        self.r = random.Random(seed)

    def digits(self, count):
        return "".join(self.r.choice(string.digits) for _ in range(count))

    def drawn(self, count, alphabet=BASE62):
        return "".join(self.r.choice(alphabet) for _ in range(count))

    def one(self, *choices):
        return self.r.choice(choices)

    # True values

    def email(self):
        first, last, host = self.r.choice(FIRST), self.r.choice(LAST), self.r.choice(HOSTS)
        local = self.one(f"{first}.{last}", f"{first[0]}{last}", f"{first}_{self.r.randint(1, 99)}", f"{first}+news", last)
        return self.one(f"{local}@{host}", f"{local}@{host}", f"{local.title()}@{host}")

    def phone(self):
        """One with a plus sign, or one in the form of North America."""
        d = self.digits
        area = lambda: f"{self.r.randint(2, 9)}{self.r.choice('023456789')}{self.r.choice('023456789')}"
        exchange = f"{self.r.randint(2, 9)}{d(2)}"
        return self.one(
            f"+49 30 {self.r.randint(2, 9)}{d(6)}",
            f"+49 (0)151 {self.r.randint(1, 9)}{d(7)}",
            f"+33 6 {d(2)} {d(2)} {d(2)} {d(2)}",
            f"+336{d(8)}",
            f"+44 20 7{d(3)} {d(4)}",
            f"+34 6{d(2)} {d(3)} {d(3)}",
            f"+39 347 {d(3)} {d(4)}",
            f"+1-{area()}-{exchange}-{d(4)}",
            f"+1{area()}{exchange}{d(4)}",
            f"({area()}) {exchange}-{d(4)}",
            f"{area()}-{exchange}-{d(4)}",
            f"+48 {self.r.randint(5, 7)}{d(2)} {d(3)} {d(3)}",
            f"+91 9{d(4)} {d(5)}",
            f"+86 138 {d(4)} {d(4)}",
        )

    def national_phone(self):
        d = self.digits
        return self.one(
            f"030/{self.r.randint(2, 9)}{d(6)}", f"0171 {self.r.randint(2, 9)}{d(6)}", f"06 {d(2)} {d(2)} {d(2)} {d(2)}",
            f"020 7{d(3)} {d(4)}", f"6{d(2)} {d(3)} {d(3)}", f"0151{d(8)}",
        )

    def iban(self):
        d = self.digits
        country, account = self.one(
            ("DE", d(18)), ("FR", d(10) + self.drawn(11, UPPER_DIGITS) + d(2)), ("ES", d(20)), ("NL", "INGB" + d(10)),
            ("GB", "NWBK" + d(14)), ("AT", d(16)), ("CH", d(5) + self.drawn(12, UPPER_DIGITS)), ("PL", d(24)),
            ("IT", self.drawn(1, string.ascii_uppercase) + d(10) + self.drawn(12, UPPER_DIGITS)), ("BE", d(12)),
            ("SE", d(20)), ("NO", d(11)), ("PT", d(21)), ("IE", "AIBK" + d(14)),
        )
        number = int("".join(str(int(c, 36)) for c in account + country + "00"))
        value = f"{country}{98 - number % 97:02}{account}"
        spaced = " ".join(value[i:i + 4] for i in range(0, len(value), 4))
        return self.one(value, spaced, spaced, value)

    def card(self):
        begin, length = self.one(("4", 16), ("4", 16), ("51", 16), ("55", 16), ("2221", 16), ("34", 15), ("37", 15), ("6011", 16), ("3530", 16))
        body = begin + self.digits(length - len(begin) - 1)
        total = 0
        for place, c in enumerate(reversed(body)):
            n = int(c) * (2 if place % 2 == 0 else 1)
            total += n - 9 if n > 9 else n
        value = body + str(-total % 10)
        if length == 15:
            spaced = f"{value[:4]} {value[4:10]} {value[10:]}"
        else:
            spaced = " ".join(value[i:i + 4] for i in range(0, 16, 4))
        return self.one(value, spaced, spaced.replace(" ", "-"))

    def ssn(self):
        area = self.r.choice([n for n in range(1, 900) if n != 666])
        return f"{area:03}-{self.r.randint(1, 99):02}-{self.r.randint(1, 9999):04}"

    def dni(self):
        letters = "TRWAGMYFPDXBNJZSQVHLCKE"
        if self.r.random() < 0.3:
            prefix = self.r.randint(0, 2)
            number = self.r.randint(0, 9_999_999)
            return f"{'XYZ'[prefix]}{number:07}{letters[(prefix * 10_000_000 + number) % 23]}"
        number = self.r.randint(30_000_000, 79_999_999)
        text = f"{number:08}"
        letter = letters[number % 23]
        return self.one(f"{text}{letter}", f"{text}-{letter}", f"{text[:2]}.{text[2:5]}.{text[5:]}-{letter}")

    def nir(self):
        department = self.one(f"{self.r.randint(1, 95):02}", f"{self.r.randint(1, 95):02}", "2A", "2B")
        body = f"{self.r.randint(1, 2)}{self.r.randint(40, 99):02}{self.r.randint(1, 12):02}{department}{self.r.randint(1, 600):03}{self.r.randint(1, 990):03}"
        key = 97 - int(body.replace("2A", "19").replace("2B", "18")) % 97
        b = body
        spaced = f"{b[0]} {b[1:3]} {b[3:5]} {b[5:7]} {b[7:10]} {b[10:13]} {key:02}"
        return self.one(f"{body}{key:02}", spaced, f"{body} {key:02}")

    def codice(self):
        consonants, odd = "BCDFGLMNPRSTV", {}
        for place, c in enumerate(string.digits):
            odd[c] = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21)[place]
        for c, v in zip(string.ascii_uppercase, (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)):
            odd[c] = v
        even = {c: int(c, 36) if c.isdigit() else ord(c) - 65 for c in UPPER_DIGITS}
        day = self.r.randint(1, 31) + self.one(0, 40)
        body = (self.drawn(6, consonants) + f"{self.r.randint(40, 99):02}" + self.r.choice("ABCDEHLMPRST") + f"{day:02}"
                + self.r.choice("ABCDEFGHIL") + f"{self.r.randint(1, 999):03}")
        total = sum(odd[c] if place % 2 == 0 else even[c] for place, c in enumerate(body))
        return body + chr(65 + total % 26)

    def tax_id(self):
        while True:
            order = self.r.sample(string.digits, 9)
            order.append(self.r.choice(order))
            self.r.shuffle(order)
            if order[0] != "0":
                break
        product = 10
        for c in order:
            total = (int(c) + product) % 10 or 10
            product = total * 2 % 11
        value = "".join(order) + str((11 - product) % 10)
        return self.one(value, f"{value[:2]} {value[2:5]} {value[5:8]} {value[8:]}")

    def api_key(self):
        a = self.drawn
        url = BASE62 + "-_"
        return self.one(
            "sk-proj-" + a(120, url) + "A1b", "sk-ant-api03-" + a(92, url) + "9A", "sk-" + a(48), "AKIA" + a(16, string.ascii_uppercase + "234567"),
            "ghp_" + a(36), "github_pat_" + a(22) + "_" + a(59), "AIza" + a(34, url) + "k", "sk_live_" + a(24), "rk_live_" + a(99),
            f"xoxb-{self.digits(12)}-{self.digits(13)}-{a(24)}", "wp-" + a(38), "gsk_" + a(52), "glpat-" + a(20), "hf_" + a(34),
            "sk-or-v1-" + a(64, "0123456789abcdef"),
        )

    def private_key(self):
        """The text of a key file; what counts as found is its beginning."""
        kind = self.one("", "RSA ", "EC ", "OPENSSH ")
        lines = ["".join(self.r.choice(BASE62 + "+/") for _ in range(64)) for _ in range(self.r.randint(2, 6))]
        end = self.one("\n", "\n", "\\n")
        return f"-----BEGIN {kind}PRIVATE KEY-----{end}{end.join(lines)}{end}-----END {kind}PRIVATE KEY-----"

    # What is none

    def luhn(self, length):
        """A number with Luhn's check digit that may begin with anything."""
        body = str(self.r.randint(1, 9)) + self.digits(length - 2)
        total = 0
        for place, c in enumerate(reversed(body)):
            n = int(c) * (2 if place % 2 == 0 else 1)
            total += n - 9 if n > 9 else n
        return body + str(-total % 10)

    def nothing(self):
        d, r = self.digits, self.r
        stamp = 1_600_000_000 + r.randint(0, 200_000_000)
        luhn = self.card().replace(" ", "").replace("-", "")
        return self.one(
            str(uuid.UUID(int=r.getrandbits(128))), f"{r.getrandbits(160):040x}", f"{r.getrandbits(256):064x}", f"{r.getrandbits(64):016x}",
            str(stamp), str(stamp * 1000 + r.randint(0, 999)), str(stamp * 1_000_000), str(stamp * 10**9),
            f"order {d(10)}", f"order_id={luhn}", f"trace_id={d(16)}", f"request id {luhn}", f"invoice no. {d(9)}", f"ISBN 978-3-{d(5)}-{d(3)}-{d(1)}",
            f"v{r.randint(0, 9)}.{r.randint(0, 40)}.{r.randint(0, 99)}", f"build {d(8)}", f"{r.randint(1, 255)}.{r.randint(0, 255)}.{r.randint(0, 255)}.{r.randint(0, 255)}",
            f"2024-{r.randint(1, 12):02}-{r.randint(1, 28):02}T{r.randint(0, 23):02}:{r.randint(0, 59):02}:00Z", f"202401{r.randint(10, 28)}T",
            f"offset={d(12)}", f"0x{r.getrandbits(64):x}", f"sha256:{r.getrandbits(256):064x}", f"git@github.com:acme/{r.choice(FIRST)}.git",
            "sk-your-api-key-here", "sk-" + "x" * 32, "AKIAIOSFODNN7EXAMPLE", "sk_test_" + self.drawn(24), "ghp_" + "x" * 36,
            f"{r.choice(FIRST)}@2x.png", f"left-pad@{r.randint(1, 9)}.{r.randint(0, 20)}.0", f"@{r.choice(FIRST)}@social.example",
            f"postgres://app:{self.drawn(12)}@db.intern.de:5432/app", f"serial {d(4)}-{d(4)}-{d(4)}-{d(3)}", f"SKU {d(3)}-{d(2)}-{d(4)}",
            f"{d(3)}-{d(3)}-{d(3)}", f"{r.uniform(0, 1):.16f}", f"{r.randint(1, 999)},{d(3)},{d(3)}", f"{d(4)} {d(4)} {d(4)} {d(4)} {d(4)} {d(4)}",
            f"part 415-{r.randint(200, 999)}-{d(4)}", f"DE{d(9)}", f"FR {d(2)} {d(3)}", f"pid={d(5)} tid={d(7)}", f"{d(8)}", f"{d(9)}", f"{d(11)}",
            f"+{r.randint(1, 9)} +{r.randint(1, 9)} = {r.randint(2, 18)}", f"GMT+0{r.randint(1, 9)}:00", f"-----BEGIN PUBLIC KEY-----\n{self.drawn(64)}\n-----END PUBLIC KEY-----",
            f"snowflake {r.getrandbits(60)}", f"msg {r.getrandbits(62)}", f"IMEI 35{d(13)}", f"{r.uniform(-90, 90):.7f}, {r.uniform(-180, 180):.7f}",
            self.luhn(16), self.luhn(r.randint(13, 19)), f"processed {self.luhn(16)}", f"{d(8)}{r.choice(string.ascii_uppercase)}",
            f"{r.randint(200, 999)}-{r.randint(200, 999)}-{d(4)}", f"y = a@b.mean + {d(1)}", f"root@{r.choice(FIRST)}.intern.local",
            f"{r.getrandbits(64):X}", f"[{self.luhn(16)}, {self.luhn(16)}]", f"{self.drawn(2, string.ascii_uppercase)}{d(2)}{self.drawn(16, UPPER_DIGITS)}",
            f"{d(3)}-{d(2)}-{d(3)}", f"{d(4)}-{d(4)}-{d(4)}-{d(4)}", self.drawn(40), "sk-" + self.drawn(8), f"AKIA{d(6)}", f"{self.drawn(24)}==",
            "-----BEGIN RSA PRIVATE KEY-----\n...\n-----END RSA PRIVATE KEY-----", f"line {d(3)} of {d(4)}", f"w = A@B.T + {d(2)}", f"counter {luhn}",
        )


# Texts around a value: {v} is one, {n} what is none, {p} a name.

ROUND = {
    "chat": [
        "Hi, I can't log in any more. My account is {v}. Can you help?",
        "sure, it's {v} :)",
        "Please summarise this mail for me:\n\nDear Ms {p},\nas discussed, {v} is what we have on file.\nKind regards\n{p}",
        "Kannst du mir eine Antwort schreiben? Betrifft {v}, danke!",
        "Tu peux vérifier {v} pour moi ? Merci",
        "¿Me puedes decir si {v} es correcto?",
        "I sent you {n} yesterday, the new one is {v}",
        "{v}",
        "is {v} the same person as {p}? ref: ticket {n}",
        "请检查 {v} 是否正确",
    ],
    "log": [
        "2024-03-0{d} 12:00:0{d}.123 INFO  [worker-{d}] c.a.Service - processed {v} in {d}7 ms",
        "level=info msg=\"user updated\" value=\"{v}\" trace={n}",
        "{{\"ts\":17100000{d}0,\"event\":\"checkout\",\"detail\":\"{v}\",\"status\":20{d}}}",
        "ERROR {n} could not parse '{v}'",
        "10.0.0.{d} - - [03/Mar/2024:12:00:00 +0000] \"GET /find?q={v} HTTP/1.1\" 200 51{d}",
        "kernel: [ 12.{d}34567] audit: {v}",
    ],
    "code": [
        "def test_parse():\n    assert parse(\"{v}\") is not None  # {n}",
        "const FALLBACK = '{v}';\nexport const build = \"{n}\";",
        "INSERT INTO people (name, detail) VALUES ('{p}', '{v}');",
        "# config\nname: {p}\nvalue: {v}\nrevision: {n}",
        "name,detail,note\n{p},{v},ok\n",
        "curl -d '{{\"detail\": \"{v}\"}}' http://localhost:808{d}/x",
        "// TODO({p}): remove {v} before release",
    ],
    "prose": [
        "The letter arrived on a Tuesday. It named {p}, and below the signature stood {v}, underlined twice.",
        "For questions, turn to {p} ({v}). The office is open from 9 to 17.",
        "In the annex the auditors list {v} among {d}2 entries that could not be matched.",
        "Am Ende des Formulars steht {v}; das Aktenzeichen lautet {n}.",
        "Le dossier mentionne {v}, sans autre précision.",
    ],
}

# Words with which people say what it is.

SAID = {
    "email": ["mail me at {v}", "contact: {v}", "E-Mail: {v}", "<{v}>"],
    "phone": ["call me at {v}", "phone: {v}", "Tel.: {v}", "mobile {v}"],
    "national_phone": ["phone: {v}", "Tel. {v}", "my mobile number is {v}", "Telefon {v}", "\"phoneNumber\": \"{v}\"", "mobile: {v}"],
    "iban": ["IBAN {v}", "transfer it to {v}", "account: {v}"],
    "card": ["card number {v}", "my Visa is {v}", "Kreditkarte: {v}", "\"pan\": \"{v}\"", "pay with {v} exp 12/27"],
    "us_ssn": ["SSN {v}", "social security number: {v}", "\"ssn\": \"{v}\""],
    "es_dni": ["DNI {v}", "mi NIE es {v}", "documento {v}"],
    "fr_nir": ["numéro de sécurité sociale {v}", "NIR : {v}", "n° sécu {v}"],
    "it_codice_fiscale": ["codice fiscale {v}", "C.F. {v}"],
    "de_tax_id": ["Steuer-ID {v}", "IdNr. {v}", "steuerliche Identifikationsnummer: {v}", "tax id {v}"],
    "api_key": ["OPENAI_API_KEY={v}", "api_key: \"{v}\"", "Authorization: Bearer {v}", "use {v} for now"],
    "private_key": ["{v}", "here is the key:\n{v}\n", "PRIVATE_KEY=\"{v}\""],
}

# Values that people also write without any word for them.
BARE = {"email": 0.6, "phone": 0.5, "iban": 0.5, "card": 0.35, "us_ssn": 0.3, "es_dni": 0.4, "fr_nir": 0.4,
        "it_codice_fiscale": 0.5, "de_tax_id": 0.15, "api_key": 0.4, "private_key": 0.4, "national_phone": 0.1}


def lines(seed, each, empty):
    make = Maker(seed)
    makers = {
        "email": make.email, "phone": make.phone, "iban": make.iban, "card": make.card, "us_ssn": make.ssn, "es_dni": make.dni,
        "fr_nir": make.nir, "it_codice_fiscale": make.codice, "de_tax_id": make.tax_id, "api_key": make.api_key,
        "private_key": make.private_key, "national_phone": make.national_phone,
    }

    def fill(template, value):
        text = template
        while "{d}" in text:
            text = text.replace("{d}", str(make.r.randint(1, 9)), 1)
        text = text.replace("{v}", "\0").replace("{{", "\1").replace("}}", "\2")
        while "{n}" in text:
            text = text.replace("{n}", make.nothing(), 1)
        while "{p}" in text:
            text = text.replace("{p}", make.r.choice(FIRST).title() + " " + make.r.choice(LAST).title(), 1)
        return text.replace("\1", "{").replace("\2", "}").replace("\0", value)

    for name, maker in makers.items():
        detector = "phone" if name == "national_phone" else name
        for _ in range(each if name != "national_phone" else each // 2):
            kind = make.r.choice(list(ROUND))
            value = maker()
            said = "{v}" if make.r.random() < BARE[name] else make.r.choice(SAID[name])
            text = fill(make.r.choice(ROUND[kind]), said.replace("{v}", value))
            yield {"kind": kind, "text": text, "values": [[detector, value]]}
    for _ in range(empty):
        kind = make.r.choice(list(ROUND))
        text = fill(make.r.choice(ROUND[kind]), make.nothing())
        yield {"kind": kind, "text": text, "values": []}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--each", type=int, default=60, help="texts with a value of each sort")
    parser.add_argument("--empty", type=int, default=900, help="texts without a value")
    parser.add_argument("--out", required=True, metavar="FILE.jsonl.gz")
    args = parser.parse_args()
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines(args.seed, args.each, args.empty))
    with open(args.out, "wb") as out, gzip.GzipFile(filename="", mode="wb", fileobj=out, mtime=0) as packed:
        packed.write(text.encode())


if __name__ == "__main__":
    main()

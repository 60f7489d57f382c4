//! What the words before a number say that it is.
//!
//! Check digits let one in ten to one in a hundred numbers pass, and logs are full of numbers. So digits that could be
//! several things are asked what is said of them in the same line, or under which key they stand.

use std::cell::OnceCell;

use super::Text;

/// How far back words are looked for, in bytes, and how many of them count.
const WINDOW: usize = 56;
const WORDS: usize = 7;

/// So near a word has to stand to call a number an identifier, words that say nothing aside.
const NEAR: usize = 2;

/// Longest word that is known, in bytes; longer ones with letters beyond ASCII are asked what they hold.
const LONGEST: usize = 48;

/// So many digits may be a list's or an extension's; more are a number of their own.
const FEW_DIGITS: usize = 2;

/// What is said of a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Context {
    pub(super) card: bool,
    pub(super) phone: bool,
    pub(super) ssn: bool,
    pub(super) tax: bool,
    pub(super) dni: bool,
    /// It counts or names a thing: an order, a build, a moment.
    pub(super) identifier: bool,
}

impl Context {
    const fn is_said(self) -> bool {
        self.card || self.phone || self.ssn || self.tax || self.dni
    }
}

/// A context that is looked for when somebody asks.
pub(super) struct Lazy<'t> {
    text: Text<'t>,
    at: usize,
    found: OnceCell<Context>,
}

impl<'t> Lazy<'t> {
    pub(super) const fn new(text: Text<'t>, at: usize) -> Self {
        Self { text, at, found: OnceCell::new() }
    }

    pub(super) fn get(&self) -> Context {
        *self.found.get_or_init(|| before(self.text, self.at))
    }
}

/// The end of a key, as far back as words are looked for: its client chooses how long it is and how many values stand
/// under it.
pub(super) fn telling(key: &str) -> &str {
    key.get(key.ceil_char_boundary(key.len().saturating_sub(WINDOW))..).unwrap_or_default()
}

/// What the words before a place say.
fn before(text: Text<'_>, at: usize) -> Context {
    let from = at.saturating_sub(WINDOW);
    let window = text.bytes.get(from..at).unwrap_or_default();
    let line = memchr::memrchr(b'\n', window).and_then(|end| window.get(end + 1..));
    let mut reading = Reading::default();
    reading.words(line.unwrap_or(window));
    if from == 0 && line.is_none() {
        reading.words(text.key.as_bytes());
    }
    reading.context
}

#[derive(Default)]
struct Reading {
    context: Context,
    words: usize,
    telling: usize,
}

impl Reading {
    /// Reads words from the last to the first, back to another number: what is said before that is said of it.
    fn words(&mut self, line: &[u8]) {
        let is_word = |byte: u8| byte.is_ascii_alphabetic() || byte >= 0x80;
        let mut end = line.len();
        let mut digits = 0;
        while end > 0 && self.words < WORDS {
            let Some(&last) = line.get(end - 1) else { return };
            if !is_word(last) {
                digits = if last.is_ascii_digit() { digits + 1 } else { 0 };
                if digits > FEW_DIGITS {
                    return;
                }
                end -= 1;
                continue;
            }
            digits = 0;
            let start = line.iter().take(end).rposition(|&byte| !is_word(byte)).map_or(0, |before| before + 1);
            self.compound(line.get(start..end).unwrap_or_default());
            end = start;
        }
    }

    /// A word that is known, or else its parts: a change from small to capital letters begins one, as in `orderId`.
    fn compound(&mut self, word: &[u8]) {
        if !matches!(sense(&Lower::of(word)), Sense::Other) {
            self.word(word);
            return;
        }
        let mut end = word.len();
        while end > 0 && self.words < WORDS {
            let begins = |two: &[u8]| matches!(two, [a, b] if a.is_ascii_lowercase() && b.is_ascii_uppercase());
            let before = word.get(..end).unwrap_or_default();
            let start = before.windows(2).rposition(begins).map_or(0, |place| place + 1);
            self.word(word.get(start..end).unwrap_or_default());
            end = start;
        }
    }

    fn word(&mut self, word: &[u8]) {
        self.words += 1;
        let context = &mut self.context;
        match sense(&Lower::of(word)) {
            Sense::Nothing => return,
            Sense::Card => context.card = true,
            Sense::Phone => context.phone = true,
            Sense::Ssn => context.ssn = true,
            Sense::Tax => context.tax = true,
            Sense::Dni => context.dni = true,
            Sense::Identifier if self.telling < NEAR && !context.is_said() => context.identifier = true,
            Sense::Identifier | Sense::Other => {}
        }
        self.telling += 1;
    }
}

/// A word in small letters; one that is longer than any known is none.
struct Lower([u8; LONGEST], usize);

impl Lower {
    fn of(word: &[u8]) -> Self {
        let mut lower = [0; LONGEST];
        let Some(slot) = lower.get_mut(..word.len()) else { return Self(lower, 0) };
        slot.copy_from_slice(word);
        slot.make_ascii_lowercase();
        Self(lower, word.len())
    }
}

impl std::ops::Deref for Lower {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.get(..self.1).unwrap_or_default()
    }
}

enum Sense {
    /// Says nothing of what it is: number, is, the.
    Nothing,
    Card,
    Phone,
    Ssn,
    Tax,
    Dni,
    Identifier,
    Other,
}

fn sense(word: &[u8]) -> Sense {
    match word {
        b"number" | b"nummer" | b"num" | b"no" | b"nr" | b"n" | b"is" | b"was" | b"the" | b"a" | b"my" | b"his"
        | b"her" | b"our" | b"your" | b"on" | b"of" | b"value" | b"ist" | b"lautet" | b"die" | b"der" | b"numero"
        | b"est" | b"es" | b"le" | b"la" | b"el" | b"s" | b"digits" | b"with" | b"at" | b"ending" | b"und" | b"and"
        | b"or" => Sense::Nothing,
        b"card"
        | b"cards"
        | b"visa"
        | b"mastercard"
        | b"amex"
        | b"maestro"
        | b"discover"
        | b"jcb"
        | b"unionpay"
        | b"pan"
        | b"cc"
        | b"ccnum"
        | b"credit"
        | b"debit"
        | b"creditcard"
        | b"cardnumber"
        | b"karte"
        | b"kreditkarte"
        | b"kartennummer"
        | b"kreditkartennummer"
        | b"carte"
        | b"bancaire"
        | b"tarjeta"
        | b"carta"
        | b"cartao"
        | b"cvv"
        | b"cvc" => Sense::Card,
        b"phone" | b"phones" | b"telephone" | b"tel" | b"tlf" | b"mobile" | b"mob" | b"cell" | b"cellphone"
        | b"fax" | b"whatsapp" | b"sms" | b"landline" | b"dial" | b"hotline" | b"telefon" | b"telefonnummer"
        | b"handy" | b"handynummer" | b"mobil" | b"mobilnummer" | b"rufnummer" | b"telefono" | b"movil"
        | b"celular" | b"cellulare" | b"portable" | b"telefone" | b"telemovel" | b"phonenumber" | b"msisdn"
        | b"tfno" => Sense::Phone,
        b"ssn" | b"ssns" | b"social" | b"security" | b"socialsecurity" => Sense::Ssn,
        b"steuer"
        | b"steuerid"
        | b"steueridentifikationsnummer"
        | b"idnr"
        | b"identifikationsnummer"
        | b"tin"
        | b"tax"
        | b"steuernummer"
        | b"steuerliche"
        | b"taxid" => Sense::Tax,
        b"dni" | b"nie" | b"nif" | b"documento" | b"identidad" => Sense::Dni,
        b"id" | b"ids" | b"uid" | b"uuid" | b"guid" | b"oid" | b"order" | b"orders" | b"bestellung"
        | b"bestellnummer" | b"auftrag" | b"auftragsnummer" | b"pedido" | b"commande" | b"invoice" | b"rechnung"
        | b"rechnungsnummer" | b"ticket" | b"tickets" | b"case" | b"ref" | b"reference" | b"build" | b"version"
        | b"ver" | b"revision" | b"sku" | b"isbn" | b"issn" | b"ean" | b"gtin" | b"upc" | b"barcode" | b"trace"
        | b"traceid" | b"span" | b"request" | b"req" | b"tracking" | b"shipment" | b"parcel" | b"sendung"
        | b"sendungsnummer" | b"serial" | b"imei" | b"imsi" | b"iccid" | b"timestamp" | b"ts" | b"time" | b"epoch"
        | b"offset" | b"seq" | b"sequence" | b"hash" | b"checksum" | b"port" | b"pid" | b"tid" | b"lot" | b"batch"
        | b"part" | b"article" | b"artikel" | b"artikelnummer" | b"item" | b"product" | b"model" | b"nonce"
        | b"block" | b"tx" | b"txn" | b"transaction" | b"session" | b"job" | b"task" | b"commit" | b"issue"
        | b"bug" | b"size" | b"bytes" | b"ns" | b"us" | b"ms" | b"usec" | b"nanos" | b"micros" | b"count"
        | b"counter" | b"cursor" | b"msg" | b"message" | b"event" | b"snowflake" | b"tweet" | b"rand" | b"random"
        | b"seed" | b"node" | b"shard" | b"asset" | b"meter" | b"correlation" | b"vin" | b"key" | b"rev" => {
            Sense::Identifier
        }
        _ if word.len() > 2 && is_phone_elsewhere(word) => Sense::Phone,
        _ => Sense::Other,
    }
}

/// Words for a telephone with letters beyond ASCII; in Chinese and Japanese they stand within what is before.
fn is_phone_elsewhere(word: &[u8]) -> bool {
    if word.is_ascii() {
        return false;
    }
    let Ok(word) = std::str::from_utf8(word) else { return false };
    let among =
        ["电话", "電話", "手机", "手機", "携帯", "téléphone", "tél", "teléfono", "móvil", "telemóvel", "телефон"];
    among.iter().any(|known| word.contains(known))
}

//! Chances of tokens: the same in Chat Completions and here, but for `bytes`, which a stream here leaves out and a whole
//! answer here must have.

use crate::chat::Json;
use crate::wire::json::{JsonError, JsonResult, Kind, List, Object, Scanner};

use super::read::text;

/// The tokens of a `logprobs` list, as Chat Completions writes them.
pub(in super::super) fn read(list: &[u8]) -> JsonResult<Vec<Json>> {
    let mut tokens = Vec::new();
    let mut scanner = Scanner::lenient(list);
    scanner.array(|scanner, _| {
        tokens.extend(token(scanner, false, true)?.and_then(|token| Json::new(token).ok()));
        Ok::<_, Box<JsonError>>(())
    })?;
    Ok(tokens)
}

/// A `logprobs` list of these tokens, as a whole answer here has it.
pub(in super::super) fn list(tokens: &[Json]) -> String {
    let mut list = List::new();
    for said in tokens {
        if let Ok(Some(token)) = token(&mut Scanner::lenient(said.text().as_bytes()), true, true) {
            list.raw(&token);
        }
    }
    list.finish()
}

/// One token; `None` where the name or the chance is missing. With `fill`, bytes that nobody named are those of its name.
fn token(scanner: &mut Scanner<'_>, fill: bool, top: bool) -> JsonResult<Option<String>> {
    if !scanner.is(Kind::Object) {
        scanner.skip()?;
        return Ok(None);
    }
    let (mut name, mut chance, mut bytes, mut others) = (None, None, None, List::new());
    scanner.object(|scanner, key| {
        match key.name {
            b"token" => name = text(scanner)?.map(|name| name.text()),
            b"logprob" if scanner.is(Kind::Number) => {
                let range = scanner.number()?;
                chance = scanner.bytes().get(range).and_then(|digits| std::str::from_utf8(digits).ok());
            }
            b"bytes" if scanner.is(Kind::Array) => {
                let range = scanner.value()?;
                bytes = scanner.bytes().get(range).and_then(|list| std::str::from_utf8(list).ok());
            }
            b"top_logprobs" if top && scanner.is(Kind::Array) => scanner.array(|scanner, _| {
                if let Some(other) = token(scanner, fill, false)? {
                    others.raw(&other);
                }
                Ok::<_, Box<JsonError>>(())
            })?,
            _ => scanner.skip()?,
        }
        Ok::<_, Box<JsonError>>(())
    })?;
    let (Some(name), Some(chance)) = (name, chance) else { return Ok(None) };
    let mut token = Object::new();
    token.put("token", &name).raw("logprob", chance);
    match bytes {
        Some(bytes) => token.raw("bytes", bytes),
        None if fill => token.put("bytes", name.as_bytes()),
        None => token.raw("bytes", "null"),
    };
    if top {
        token.raw("top_logprobs", &others.finish());
    }
    Ok(Some(token.finish()))
}

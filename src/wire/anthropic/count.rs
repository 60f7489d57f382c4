//! `/v1/messages/count_tokens`: how many tokens a request would have.

use bytes::Bytes;
use serde::Deserialize;

pub use super::request::judge_count;

/// The answer to a client: `{"input_tokens":N}`.
#[must_use]
pub fn body(input_tokens: u64) -> Bytes {
    format!(r#"{{"input_tokens":{input_tokens}}}"#).into()
}

/// What a provider counted; `None`: it did not say.
#[must_use]
pub fn decode(answer: &[u8]) -> Option<u64> {
    #[derive(Deserialize)]
    struct Count {
        input_tokens: u64,
    }
    serde_json::from_slice(answer).ok().map(|count: Count| count.input_tokens)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::recorded;

    #[test]
    fn a_count_there_and_back() {
        assert_eq!(decode(&body(17)), Some(17));
        assert_eq!(decode(br#"{"type":"error"}"#), None);
        assert_eq!(decode(b"<html>"), None);
    }

    #[test]
    fn recorded_counts_are_read() {
        for exchange in recorded::exchanges("count") {
            let request = judge_count(exchange.sent()).unwrap();
            assert_eq!(request.max_output_tokens, None);
            let counted = decode(&exchange.answered().unwrap()).unwrap();
            let expected = exchange.meta["response"]["body"]["input_tokens"].as_u64().unwrap();
            assert_eq!(counted, expected, "{}", exchange.name);
        }
    }
}

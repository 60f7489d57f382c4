//! One request's log line, as JSON for programs and as text for people.
//!
//! The JSON is written by hand: it is written for every request, and of its bytes most are the same every time.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::id::DecisionId;
use crate::money::NanoUsd;

/// What a line says. Field names are those of decision records and metrics; content is not among them.
#[derive(Debug)]
pub struct RequestLine<'a> {
    pub at: SystemTime,
    pub request_id: &'a str,
    /// None for what decides nothing.
    pub decision: Option<DecisionId>,
    /// None where nobody was known.
    pub tenant: Option<&'a str>,
    pub key: Option<&'a str>,
    pub operation: &'static str,
    pub model: &'a str,
    pub target: Option<&'a str>,
    pub reason: Option<&'a str>,
    pub status: u16,
    pub outcome: &'static str,
    pub error: Option<&'a str>,
    pub input_tokens: u64,
    pub output_tokens: u64,
    pub cost_nusd: i64,
    pub duration: Duration,
    pub first_token: Option<Duration>,
    pub attempts: usize,
    pub cache: Option<&'a str>,
}

/// The second that was written last, so that a date is worked out once a second and not once a line.
#[derive(Debug, Default)]
pub(super) struct Second {
    since_1970: u64,
    /// `2026-11-24T09:11:29`
    text: String,
}

impl Second {
    fn text(&mut self, since_1970: u64) -> &str {
        if self.text.is_empty() || self.since_1970 != since_1970 {
            let timestamp = i64::try_from(since_1970).ok().and_then(|second| jiff::Timestamp::from_second(second).ok());
            let text = timestamp.unwrap_or_default().to_string();
            text.trim_end_matches('Z').clone_into(&mut self.text);
            self.since_1970 = since_1970;
        }
        &self.text
    }
}

impl RequestLine<'_> {
    pub(super) fn write_json(&self, second: &mut Second, into: &mut Vec<u8>) {
        let mut line = Json(into);
        let since_1970 = self.at.duration_since(UNIX_EPOCH).unwrap_or_default();
        line.raw("{\"at\":\"");
        line.raw(second.text(since_1970.as_secs()));
        line.raw(".");
        line.padded(since_1970.subsec_millis());
        line.raw("Z\",\"request_id\":");
        line.text(self.request_id);
        line.raw(",\"decision\":");
        match self.decision {
            Some(decision) => {
                line.raw("\"");
                decision.write(line.0);
                line.raw("\"");
            }
            None => line.raw("null"),
        }
        line.raw(",\"tenant\":");
        line.optional(self.tenant);
        line.raw(",\"key\":");
        line.optional(self.key);
        line.raw(",\"operation\":");
        line.text(self.operation);
        line.raw(",\"model\":");
        line.text(self.model);
        line.raw(",\"target\":");
        line.optional(self.target);
        line.raw(",\"reason\":");
        line.optional(self.reason);
        line.raw(",\"status\":");
        line.number(self.status);
        line.raw(",\"outcome\":");
        line.text(self.outcome);
        line.raw(",\"error\":");
        line.optional(self.error);
        line.raw(",\"input_tokens\":");
        line.number(self.input_tokens);
        line.raw(",\"output_tokens\":");
        line.number(self.output_tokens);
        line.raw(",\"cost_nusd\":");
        line.number(self.cost_nusd);
        line.raw(",\"ms\":");
        line.millis(self.duration);
        line.raw(",\"ttft_ms\":");
        match self.first_token {
            Some(duration) => line.millis(duration),
            None => line.raw("null"),
        }
        line.raw(",\"attempts\":");
        line.number(self.attempts);
        line.raw(",\"cache\":");
        line.optional(self.cache);
        line.raw("}\n");
    }

    pub(super) fn write_text(&self, into: &mut Vec<u8>) {
        let mut text = format!(
            "{:.3} {} {} {} -> {}",
            jiff::Timestamp::try_from(self.at).unwrap_or_default(),
            self.status,
            self.outcome,
            self.model,
            self.target.unwrap_or("-"),
        );
        // Writing into a String cannot fail.
        let _ = writeln!(
            text,
            " reason={} tenant={} tokens={}+{} usd={} ms={:.1} attempts={} decision={} request={}",
            self.error.or(self.reason).unwrap_or("-"),
            self.tenant.unwrap_or("-"),
            self.input_tokens,
            self.output_tokens,
            NanoUsd(self.cost_nusd),
            self.duration.as_secs_f64() * 1e3,
            self.attempts,
            self.decision.map_or("-".to_owned(), |decision| decision.to_string()),
            self.request_id,
        );
        into.extend_from_slice(text.as_bytes());
    }
}

/// Writes JSON's pieces into a buffer.
struct Json<'a>(&'a mut Vec<u8>);

impl Json<'_> {
    fn raw(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    fn text(&mut self, text: &str) {
        self.0.push(b'"');
        if text.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
            self.raw(text);
        } else {
            crate::wire::json::escape_into(text, self.0);
        }
        self.0.push(b'"');
    }

    fn optional(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.text(text),
            None => self.raw("null"),
        }
    }

    fn number(&mut self, number: impl itoa::Integer) {
        self.raw(itoa::Buffer::new().format(number));
    }

    /// Three digits.
    fn padded(&mut self, number: u32) {
        let digit = |place: u32| b'0' + u8::try_from(number / place % 10).unwrap_or_default();
        self.0.extend_from_slice(&[digit(100), digit(10), digit(1)]);
    }

    /// Milliseconds with three decimals.
    fn millis(&mut self, duration: Duration) {
        let micros = duration.as_micros();
        self.number(micros / 1000);
        self.raw(".");
        self.padded(u32::try_from(micros % 1000).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(model: &str) -> RequestLine<'_> {
        RequestLine {
            at: UNIX_EPOCH + Duration::from_millis(1_795_511_489_010),
            request_id: "req_1",
            decision: Some(DecisionId::new()),
            tenant: Some("acme"),
            key: None,
            operation: "chat",
            model,
            target: Some("small@own"),
            reason: Some("named"),
            status: 200,
            outcome: "ok",
            error: None,
            input_tokens: 26,
            output_tokens: 32,
            cost_nusd: 308_000,
            duration: Duration::from_micros(10_128),
            first_token: None,
            attempts: 1,
            cache: Some("miss"),
        }
    }

    #[test]
    fn a_line_is_one_json_object_whatever_a_client_called_the_model() {
        let mut bytes = Vec::new();
        let mut second = Second::default();
        line("a\"\\\nb\u{7}ü").write_json(&mut second, &mut bytes);
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(text.matches('\n').count(), 1, "{text}");
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["at"], "2026-11-24T09:11:29.010Z");
        assert_eq!(read["model"], "a\"\\\nb\u{7}ü");
        assert_eq!(read["ms"], 10.128);
        assert_eq!(read["ttft_ms"], serde_json::Value::Null);
        assert_eq!(read["cost_nusd"], 308_000);
        assert_eq!(read["decision"].as_str().map(str::len), Some(30));
    }

    #[test]
    fn the_date_follows_the_clock() {
        let mut second = Second::default();
        assert_eq!(second.text(0), "1970-01-01T00:00:00");
        assert_eq!(second.text(86_400), "1970-01-02T00:00:00");
    }
}

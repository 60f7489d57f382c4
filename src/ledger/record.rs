//! The shape of a decision record, `schema: 1`.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use super::considered::Considered;
use crate::chat::{Outcome, Usage};
use crate::id::{DecisionId, KeyId, PolicyName, RequestId, RuleName, TargetName, TeamName, TenantName};
use crate::money::NanoUsd;
use crate::policy::{LabelValue, Labels};

/// One decision: who asked, what was allowed, what was chosen, what came of it and what it cost.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Decision {
    /// Version of this shape: 1.
    pub schema: u8,
    /// `dec_…`
    #[schemars(with = "String")]
    pub id: DecisionId,
    /// When the request's head was read, RFC 3339 in UTC.
    #[serde(serialize_with = "crate::clock::rfc3339")]
    #[schemars(with = "String")]
    pub at: SystemTime,
    /// The client's own `x-request-id`, or one that was made.
    #[schemars(with = "String")]
    pub request_id: RequestId,
    #[schemars(with = "String")]
    pub tenant: TenantName,
    #[schemars(with = "Option<String>")]
    pub team: Option<TeamName>,
    /// Id of the virtual key; null for tokens and open mode.
    #[schemars(with = "Option<String>")]
    pub key: Option<KeyId>,
    /// `chat`, `responses`, `messages`, `completions`, `embeddings` or `count_tokens`.
    pub operation: &'static str,
    /// The model name the client asked for.
    pub model: Option<String>,
    /// Hash of the configuration that decided.
    pub config: Arc<str>,
    pub policy: Option<Policy>,
    /// Labels in force, by name.
    #[serde(serialize_with = "as_map")]
    #[schemars(with = "std::collections::BTreeMap<String, Label<'_>>")]
    pub labels: Option<Labels>,
    /// What detectors found in the request; never the text.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub detections: Vec<Detection>,
    pub score: Option<Score>,
    pub quality: Option<Quality>,
    /// Every target that was considered, allowed or not.
    #[schemars(with = "Vec<Candidate>")]
    pub candidates: Considered,
    /// Index of the candidate that was tried first.
    pub chosen: Option<usize>,
    /// Why it was chosen.
    pub reason: Option<&'static str>,
    /// `hit`, `miss` or `bypass`; null where the path ended before.
    pub cache: Option<&'static str>,
    /// Calls to upstreams in order.
    pub attempts: Vec<Attempt>,
    /// What the chosen candidate was expected to take: beside `usage`, `cost_nusd` and `ttft_ms`, which it took.
    pub expected: Option<Expected>,
    pub usage: Option<Usage>,
    /// Milliseconds from sending to the first content of the attempt that succeeded; whole answers: to their end.
    #[serde(rename = "ttft_ms", serialize_with = "millis_if_any")]
    #[schemars(with = "Option<f64>")]
    pub ttft: Option<Duration>,
    pub cost_nusd: NanoUsd,
    /// The same usage at the price of the allowed, healthy target with the highest `p_good`, minus the cost.
    pub saving_nusd: NanoUsd,
    pub outcome: Outcome,
    /// The error code, where there is one.
    pub error: Option<&'static str>,
    /// Milliseconds from head to end.
    #[serde(serialize_with = "crate::clock::millis")]
    #[schemars(with = "f64")]
    pub ms: Duration,
}

/// The policy in force.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Policy {
    #[schemars(with = "String")]
    pub name: PolicyName,
    pub hash: Arc<str>,
}

/// One label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Label<'a> {
    pub value: &'a str,
    /// Who set it: `default`, `floor`, `key`, `claim`, `client`, `detected:DETECTOR`, or `unscanned`.
    pub by: &'static str,
}

/// How many times larger than a list the room may be that it moves to.
const ROOM: usize = 4;

impl Decision {
    /// Becomes another record, in the memory of this one and of what it holds.
    pub(super) fn turn_into(&mut self, other: Self) {
        let mut before = std::mem::replace(self, other);
        refill(&mut before.attempts, &mut self.attempts);
        before.labels.clone_from(&self.labels);
        std::mem::swap(&mut before.labels, &mut self.labels);
        before.request_id.clone_from(&self.request_id);
        std::mem::swap(&mut before.request_id, &mut self.request_id);
    }

    /// The labels in force, by name; none where the request ended before they were known.
    pub fn labels(&self) -> impl Iterator<Item = (&str, Label<'_>)> {
        labels(self.labels.as_ref())
    }
}

/// Moves what a list holds into the room of another, and that into its place. A room that is far too large is not
/// taken: all would grow to the size of the largest in time.
fn refill(room: &mut Vec<Attempt>, list: &mut Vec<Attempt>) {
    room.clear();
    if (list.len()..=ROOM * list.len()).contains(&room.capacity()) {
        room.append(list);
        std::mem::swap(room, list);
    }
}

fn labels(labels: Option<&Labels>) -> impl Iterator<Item = (&str, Label<'_>)> {
    labels.into_iter().flat_map(Labels::iter).map(shown)
}

fn shown(label: LabelValue<'_>) -> (&str, Label<'_>) {
    (label.name, Label { value: label.value, by: label.by.as_str() })
}

/// What one detector found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Detection {
    pub detector: &'static str,
    /// Different values.
    pub count: u32,
    /// `enforce` where they count towards the label, else `observe`.
    pub mode: &'static str,
}

/// How hard the prompt is.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Score {
    /// 0 to 1: one minus the chance that a weak-tier model answers well; null where there is no score.
    pub difficulty: Option<f32>,
    /// `network`, `linear` or `none`.
    pub stage: &'static str,
    /// Why the network did not score it; the linear head's score stands unless there is none.
    pub unscored: Option<&'static str>,
    /// Share of recent prompts that were easier, 0 to 1; only in dry runs of a gateway that has seen some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percentile: Option<f32>,
    /// Hash of the model file of that stage.
    pub model: Arc<str>,
    #[serde(rename = "ms", serialize_with = "crate::clock::millis")]
    #[schemars(with = "f64")]
    pub elapsed: Duration,
}

/// The terms of the choice.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub struct Quality {
    pub at_least: f32,
    /// Largest shortfall in `p_good` that still counts as good enough.
    pub tau: f32,
    /// `prior`: by tier, without measured confidence; `calibrated`: by measured outcomes.
    pub basis: &'static str,
    /// The stage of the classifier whose calibration decided, `network` or `linear`; left out by tier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<&'static str>,
    /// Labelled prompts of about this difficulty; only in dry runs on a calibration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bucket: Option<Bucket>,
}

/// The range of a calibration's labels that a difficulty lies in or next to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Bucket {
    /// Lowest difficulty in it.
    pub from: f64,
    /// Highest difficulty in it.
    pub to: f64,
    /// Labelled prompts in it.
    pub labels: usize,
}

/// How good an answer was, as `POST /v1/feedback` says: a line beside the decision's.
#[derive(Debug, Serialize)]
pub struct Feedback {
    /// Version of this shape: 1.
    pub schema: u8,
    /// `feedback`
    pub kind: &'static str,
    /// The decision that the answer came from.
    pub decision: DecisionId,
    /// When it was told, RFC 3339 in UTC.
    #[serde(serialize_with = "crate::clock::rfc3339")]
    pub at: SystemTime,
    /// Whose decision it was.
    pub tenant: TenantName,
    /// 0, of no use, to 1, as good as could be.
    pub score: f64,
}

impl Feedback {
    /// Told now.
    #[must_use]
    pub fn new(decision: DecisionId, tenant: TenantName, score: f64) -> Self {
        Self { schema: 1, kind: "feedback", decision, at: SystemTime::now(), tenant, score }
    }
}

/// What the chosen candidate was expected to take.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Expected {
    /// Input tokens.
    pub input: u64,
    /// Output tokens.
    pub output: u64,
    /// Null where the price is not known.
    pub cost_nusd: Option<NanoUsd>,
    /// Milliseconds to the first token, as 95 of 100 requests stay within.
    pub ttft_ms: f64,
}

/// One target that was considered.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Candidate {
    #[schemars(with = "String")]
    pub target: TargetName,
    /// The effort it would be asked with; null: the model's own, or what the client says is no degree.
    pub effort: Option<&'static str>,
    /// Expected cost; null where the price is not known.
    pub cost_nusd: Option<NanoUsd>,
    /// What leaving the conversation's warm cache for it costs, where there is one to leave.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub switch_nusd: Option<NanoUsd>,
    /// Output tokens that one answer is expected to take; only in dry runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Tokens>,
    pub p_good: Option<f32>,
    /// Expected time to first token.
    pub ttft_ms: Option<f64>,
    /// Expected time to the first token of the answer itself, reasoning over.
    pub answer_ms: Option<f64>,
    /// The rule or ceiling that removed it, or the capability that it lacks.
    #[schemars(with = "Option<String>")]
    pub removed_by: Option<RuleName>,
    /// The fact that failed: what a rule asks for, by what a ceiling was missed, or what is not stated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<Cow<'static, str>>,
}

/// A range of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Tokens {
    /// One answer in ten takes fewer.
    pub p10: u64,
    /// The middle: what the expected cost is reckoned with.
    pub median: u64,
    /// One answer in ten takes more.
    pub p90: u64,
}

/// One call to an upstream.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Attempt {
    #[schemars(with = "String")]
    pub target: TargetName,
    /// The effort it was asked with, chosen or the client's own; left out where it was the model's. `client`: what the client
    /// said of reasoning is no degree, but a budget or a switch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effort: Option<&'static str>,
    /// Address that was called; null where no connection was made, or the client left before it was known.
    #[schemars(with = "Option<String>")]
    pub peer: Option<SocketAddr>,
    /// SHA-256 of the certificate that the server showed, in hexadecimal; null without TLS, and where no answer came.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "Option<String>")]
    pub tls_sha256: Option<[u8; 32]>,
    pub bytes_sent: usize,
    /// The upstream's status; null where none came.
    pub status: Option<u16>,
    /// `ok`, what went wrong, or `cancelled` where the client left first.
    pub result: &'static str,
    #[serde(rename = "ms", serialize_with = "crate::clock::millis")]
    #[schemars(with = "f64")]
    pub elapsed: Duration,
}

fn hex<S: Serializer>(digest: &Option<[u8; 32]>, serializer: S) -> Result<S::Ok, S::Error> {
    match digest {
        Some(digest) => serializer.serialize_some(&digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
        None => serializer.serialize_none(),
    }
}

fn millis_if_any<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match duration {
        Some(duration) => crate::clock::millis(duration, serializer),
        None => serializer.serialize_none(),
    }
}

fn as_map<S: Serializer>(given: &Option<Labels>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(labels(given.as_ref()))
}

#[cfg(test)]
impl Decision {
    pub(super) fn blank(tenant: &str) -> Self {
        Self {
            schema: 1,
            id: DecisionId::new(),
            at: SystemTime::now(),
            request_id: RequestId::new(),
            tenant: tenant.into(),
            team: None,
            key: None,
            operation: "chat",
            model: None,
            config: "sha256:".into(),
            policy: None,
            labels: None,
            detections: Vec::new(),
            score: None,
            quality: None,
            candidates: Considered::default(),
            chosen: None,
            reason: None,
            cache: None,
            attempts: Vec::new(),
            expected: None,
            usage: None,
            ttft: None,
            cost_nusd: NanoUsd::ZERO,
            saving_nusd: NanoUsd::ZERO,
            outcome: Outcome::Ok,
            error: None,
            ms: Duration::ZERO,
        }
    }
}

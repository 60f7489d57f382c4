//! The declaration beside a model file: what the model reads and answers, checked before anything is scored.

use serde::Deserialize;

use super::ClassifyError;
use super::features::MAX_CHAR_NGRAM;
use super::surface::SURFACE;

/// The version of the declaration that this program reads.
const FORMAT: u32 = 1;
/// The only feature hash there is: FNV-1a over 64 bits, code point by code point.
const HASH: &str = "fnv1a64-codepoints";
/// Above this the table of embeddings no longer fits a small process.
const MAX_BUCKETS: usize = 1 << 20;
/// Above this, reading a prompt would no longer be cheap enough to do on the request's own thread.
const MAX_READ_BYTES: usize = 1 << 16;

/// `declaration.json`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Declaration {
    format: u32,
    /// The classifier's name, for people.
    pub(super) name: String,
    stage: DeclaredStage,
    /// The SHA-256 of the model file, in hex: a declaration belongs to one file.
    pub(super) model_sha256: String,
    pub(super) inputs: Inputs,
    pub(super) output: Tensor,
    features: FeatureParameters,
}

#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum DeclaredStage {
    Linear,
}

/// The model's inputs by their part in the calculation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Inputs {
    pub(super) ids: Tensor,
    pub(super) weights: Tensor,
    pub(super) surface: Tensor,
}

/// One input or output of the graph.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tensor {
    /// Its name in the graph.
    pub(super) name: String,
    /// `int64` or `float32`.
    #[serde(rename = "type")]
    pub(super) kind: String,
    /// Its dimensions.
    pub(super) shape: Vec<Dimension>,
    /// For people; for the surface, the names of the features in order.
    meaning: serde_json::Value,
}

impl Tensor {
    /// The names of the last dimension's values, where the meaning is a list of names.
    pub(super) fn names(&self) -> Option<impl Iterator<Item = &str>> {
        let list = self.meaning.as_array()?;
        list.iter().all(serde_json::Value::is_string).then(|| list.iter().filter_map(serde_json::Value::as_str))
    }
}

/// A dimension of a tensor: a number, or a name where it varies.
#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(untagged)]
pub(super) enum Dimension {
    Fixed(i64),
    Varies(String),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FeatureParameters {
    hash: String,
    buckets: usize,
    word_ngrams: Vec<usize>,
    char_ngram: usize,
    token_max: usize,
    head_bytes: usize,
    tail_bytes: usize,
    part_bytes: usize,
    context_bytes: usize,
    context_weight: f64,
}

/// How a prompt is read: the checked parameters.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    /// A power of two.
    pub(super) buckets: usize,
    pub(super) char_ngram: usize,
    /// Code points; a longer run is cut into tokens of this length.
    pub(super) token_max: usize,
    pub(super) head_bytes: usize,
    pub(super) tail_bytes: usize,
    pub(super) part_bytes: usize,
    pub(super) context_bytes: usize,
    pub(super) context_weight: f64,
}

impl Declaration {
    /// Reads a declaration; `place` names it in errors.
    pub(super) fn parse(text: &[u8], place: &str) -> Result<Declaration, ClassifyError> {
        serde_json::from_slice(text).map_err(|source| ClassifyError::Declaration { place: place.to_owned(), source })
    }

    /// Checks everything that can be checked without the model and gives the parameters for reading a prompt.
    pub(super) fn reading(&self) -> Result<Reading, ClassifyError> {
        let f = &self.features;
        require(self.format == FORMAT, || format!("format {} is not {FORMAT}", self.format))?;
        require(self.stage == DeclaredStage::Linear, || "stage is not linear".to_owned())?;
        require(f.hash == HASH, || format!("features.hash {:?} is not {HASH:?}", f.hash))?;
        require(f.buckets.is_power_of_two() && f.buckets <= MAX_BUCKETS, || {
            format!("features.buckets {} is not a power of two up to {MAX_BUCKETS}", f.buckets)
        })?;
        require(f.word_ngrams == [1, 2], || format!("features.word_ngrams {:?} is not [1, 2]", f.word_ngrams))?;
        require((1..=MAX_CHAR_NGRAM).contains(&f.char_ngram), || {
            format!("features.char_ngram {} is not within 1 to {MAX_CHAR_NGRAM}", f.char_ngram)
        })?;
        require(f.token_max > 0, || "features.token_max is 0".to_owned())?;
        for (name, bytes) in [
            ("head_bytes", f.head_bytes),
            ("tail_bytes", f.tail_bytes),
            ("part_bytes", f.part_bytes),
            ("context_bytes", f.context_bytes),
        ] {
            require(bytes <= MAX_READ_BYTES, || format!("features.{name} {bytes} is more than {MAX_READ_BYTES}"))?;
        }
        require((0.0..=1.0).contains(&f.context_weight), || {
            format!("features.context_weight {} is not within 0 to 1", f.context_weight)
        })?;
        let named = self.inputs.surface.meaning.as_array().is_some_and(|names| names == &SURFACE);
        require(named, || "inputs.surface.meaning does not list the surface features of this version".to_owned())?;
        let varies = Dimension::Varies("n".to_owned());
        let width = SURFACE.len() as i64;
        for (tensor, kind, shape) in [
            (&self.inputs.ids, "int64", vec![varies]),
            (&self.inputs.weights, "float32", vec![Dimension::Fixed(1), Dimension::Varies("n".to_owned())]),
            (&self.inputs.surface, "float32", vec![Dimension::Fixed(1), Dimension::Fixed(width)]),
            (&self.output, "float32", vec![Dimension::Fixed(1), Dimension::Fixed(1)]),
        ] {
            require(tensor.kind == kind && tensor.shape == shape, || {
                format!(
                    "{} is declared {} {:?}, which is not the shape of a linear head",
                    tensor.name, tensor.kind, tensor.shape
                )
            })?;
        }
        Ok(Reading {
            buckets: f.buckets,
            char_ngram: f.char_ngram,
            token_max: f.token_max,
            head_bytes: f.head_bytes,
            tail_bytes: f.tail_bytes,
            part_bytes: f.part_bytes,
            context_bytes: f.context_bytes,
            context_weight: f.context_weight,
        })
    }
}

pub(super) fn require(holds: bool, what: impl FnOnce() -> String) -> Result<(), ClassifyError> {
    if holds { Ok(()) } else { Err(ClassifyError::Unfit(what())) }
}

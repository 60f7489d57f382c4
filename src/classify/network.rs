//! The second stage: a text classifier with a tokenizer, loaded from a folder and checked against its declaration.
//!
//! A folder holds `model.onnx`, `tokenizer.json` and `declaration.json`. Any ONNX text classifier fits that takes token
//! ids and a mask and gives a difficulty, or probabilities among which `p_weak` is named.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::ClassifyError;
use super::declaration::{Dimension, Tensor, require};
use super::features::Features;
use super::files::{NetworkFiles, belongs};
use super::onnx::NetworkSession;
use super::scorer::{Scorer, Seen, Verdict};
use super::surface::SURFACE;
use super::text::{Excerpt, TextReader, TextReading};

/// The version of a network's declaration that this program reads.
const FORMAT: u32 = 2;

/// `declaration.json` of a network.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NetworkDeclaration {
    format: u32,
    /// The network's name, for people.
    pub(super) name: String,
    stage: NetworkStage,
    model_sha256: String,
    /// The tokenizer's file, in the same folder.
    tokenizer: String,
    tokenizer_sha256: String,
    /// The linear model that this network was mixed with, where it takes the linear stage's score.
    pub(super) linear_sha256: Option<String>,
    pub(super) inputs: NetworkInputs,
    pub(super) outputs: NetworkOutputs,
    reading: TextReading,
    /// Prompts a run: only 1 is read, for int8 activations are scaled over a whole run.
    batch: u32,
}

#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum NetworkStage {
    Network,
}

/// The inputs by their part in the calculation. The graph must take them in this order.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NetworkInputs {
    pub(super) ids: Tensor,
    pub(super) mask: Tensor,
    pub(super) types: Option<Tensor>,
    pub(super) surface: Option<Tensor>,
    /// The linear stage's p_weak.
    pub(super) linear: Option<Tensor>,
}

impl NetworkInputs {
    pub(super) fn all(&self) -> Vec<&Tensor> {
        let optional = [self.types.as_ref(), self.surface.as_ref(), self.linear.as_ref()];
        [&self.ids, &self.mask].into_iter().chain(optional.into_iter().flatten()).collect()
    }
}

/// The outputs. The graph must give them in this order.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NetworkOutputs {
    pub(super) difficulty: Option<Tensor>,
    pub(super) probabilities: Option<Tensor>,
    pub(super) embedding: Option<Tensor>,
}

impl NetworkOutputs {
    pub(super) fn all(&self) -> Vec<&Tensor> {
        let optional = [self.difficulty.as_ref(), self.probabilities.as_ref(), self.embedding.as_ref()];
        optional.into_iter().flatten().collect()
    }

    /// Where a probability of this name stands among the probabilities.
    fn place_of(&self, name: &str) -> Option<usize> {
        self.probabilities.as_ref()?.names()?.position(|found| found == name)
    }
}

/// What the network says of one prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkScore<'a> {
    /// 0 (any model will do) to 1.
    pub difficulty: f32,
    /// By the names in the declaration, such as `p_weak`; empty where the network gives none.
    pub probabilities: BTreeMap<&'a str, f32>,
    /// The prompt as numbers, for calibration; empty where the network gives none.
    pub embedding: Vec<f32>,
}

/// One network with its tokenizer. A session scores one prompt at a time; each thread has its own.
pub struct Network {
    session: NetworkSession,
    reader: TextReader,
    names: Vec<String>,
    /// Where the difficulty comes from when the graph does not give one.
    weak_at: Option<usize>,
    pub name: String,
    /// SHA-256 of the model file, in hex.
    pub model_sha256: String,
    /// SHA-256 of the linear model whose score it takes, in hex; `None` if it takes none.
    pub linear_sha256: Option<String>,
}

impl Network {
    /// Opens the files and checks that they belong together and fit this program. At most `max_tokens` are read of a
    /// prompt.
    ///
    /// # Errors
    /// Files that do not, and a runtime that cannot be used.
    pub fn open(files: &NetworkFiles, max_tokens: usize, library: Option<&Path>) -> Result<Network, ClassifyError> {
        let declaration: NetworkDeclaration = serde_json::from_slice(&files.declaration)
            .map_err(|source| ClassifyError::Declaration { place: files.place.clone(), source })?;
        declaration.check()?;
        let tokenizer = files.tokenizer(&declaration.tokenizer)?;
        belongs("model", &declaration.model_sha256, &files.model)?;
        belongs("tokenizer", &declaration.tokenizer_sha256, &tokenizer)?;
        let weak_at = declaration.outputs.place_of("p_weak");
        let names = declaration.outputs.probabilities.as_ref().and_then(Tensor::names);
        let names = names.map(|names| names.map(str::to_owned).collect()).unwrap_or_default();
        let session = NetworkSession::open(&files.model, &declaration, library)?;
        let reader = TextReader::open(&tokenizer, declaration.reading, max_tokens)?;
        let (name, model_sha256) = (declaration.name, declaration.model_sha256);
        let linear_sha256 = declaration.linear_sha256;
        let mut network = Network { session, reader, names, weak_at, name, model_sha256, linear_sha256 };
        // A graph does not say which ids its table has, nor how long a sequence it takes: try it.
        network.read(&Excerpt::default(), &Features::single(0), 0.5)?;
        Ok(network)
    }

    /// Checks that it was made with this linear model, if it takes the score of one.
    pub(super) fn belongs_to(&self, linear_sha256: &str) -> Result<(), ClassifyError> {
        let made_with = self.linear_sha256.as_deref();
        require(made_with.is_none_or(|hash| hash == linear_sha256), || {
            format!(
                "the network takes the score of a linear model of sha256 {}, the one here has {linear_sha256}; put the \
                 network's own into the folder `linear` beside its declaration",
                made_with.unwrap_or_default()
            )
        })
    }

    /// How it reads a conversation.
    pub(super) fn reading(&self) -> &TextReading {
        self.reader.reading()
    }

    /// Scores what was taken of a prompt; `features` are those of the linear stage, and `linear` is its difficulty.
    pub(super) fn read(
        &mut self,
        excerpt: &Excerpt,
        features: &Features,
        linear: f32,
    ) -> Result<NetworkScore<'_>, ClassifyError> {
        let sequence = self.reader.read(excerpt)?;
        let given = self.session.run(&sequence, &features.surface, 1.0 - linear)?;
        let weak = self.weak_at.and_then(|at| given.probabilities.get(at)).map(|p_weak| 1.0 - p_weak);
        let difficulty = given.difficulty.or(weak).unwrap_or(f32::NAN);
        for value in given.probabilities.iter().chain([&difficulty]) {
            if !(0.0..=1.0).contains(value) {
                return Err(ClassifyError::OutOfRange(*value));
            }
        }
        let probabilities = self.names.iter().map(String::as_str).zip(given.probabilities).collect();
        Ok(NetworkScore { difficulty, probabilities, embedding: given.embedding })
    }
}

impl Scorer for Network {
    fn score(&mut self, seen: &Seen) -> Result<Verdict, ClassifyError> {
        let NetworkScore { difficulty, embedding, .. } = self.read(&seen.excerpt, &seen.features, seen.linear)?;
        Ok(Verdict { difficulty, embedding: (!embedding.is_empty()).then(|| embedding.into()) })
    }
}

impl NetworkDeclaration {
    fn check(&self) -> Result<(), ClassifyError> {
        require(self.format == FORMAT, || format!("format {} is not {FORMAT}", self.format))?;
        require(self.stage == NetworkStage::Network, || "stage is not network".to_owned())?;
        require(self.batch == 1, || format!("batch {} is not 1", self.batch))?;
        let plain = Path::new(&self.tokenizer).file_name() == Some(self.tokenizer.as_ref());
        require(plain, || format!("tokenizer {:?} is not a file of the same folder", self.tokenizer))?;
        let varies = |tensor: &Tensor, kind: &str| {
            tensor.kind == kind
                && tensor.shape.len() == 2
                && matches!(tensor.shape.as_slice(), [Dimension::Varies(_), ..])
        };
        for tensor in
            [Some(&self.inputs.ids), Some(&self.inputs.mask), self.inputs.types.as_ref()].into_iter().flatten()
        {
            let fits = varies(tensor, "int64") && matches!(tensor.shape.get(1), Some(Dimension::Varies(_)));
            require(fits, || format!("{} is not int64 [batch, tokens]", tensor.name))?;
        }
        if let Some(surface) = &self.inputs.surface {
            let width = Some(&Dimension::Fixed(SURFACE.len() as i64));
            require(varies(surface, "float32") && surface.shape.get(1) == width, || {
                format!("{} is not float32 [batch, {}]", surface.name, SURFACE.len())
            })?;
            let named = surface.names().is_some_and(|names| names.eq(SURFACE));
            require(named, || "inputs.surface.meaning does not list the surface features of this version".to_owned())?;
        }
        if let Some(linear) = &self.inputs.linear {
            let fits = varies(linear, "float32") && linear.shape.get(1) == Some(&Dimension::Fixed(1));
            require(fits, || format!("{} is not float32 [batch, 1]", linear.name))?;
        }
        let tied = self.inputs.linear.is_some() == self.linear_sha256.is_some();
        require(tied, || "inputs.linear and linear_sha256 must stand together".to_owned())?;
        for tensor in self.outputs.all() {
            require(varies(tensor, "float32"), || format!("{} is not float32 [batch, …]", tensor.name))?;
        }
        let scores = self.outputs.difficulty.is_some() || self.outputs.place_of("p_weak").is_some();
        require(scores, || "outputs has neither difficulty nor probabilities that name p_weak".to_owned())
    }
}

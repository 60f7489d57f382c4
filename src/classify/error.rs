//! What can be wrong with the classifier's files or its runtime.

use std::path::PathBuf;

/// What can be wrong with the classifier's files or its runtime.
#[derive(Debug, thiserror::Error)]
pub enum ClassifyError {
    /// No library was found.
    #[error(
        "ONNX Runtime's library was not found (searched: {searched}); run `make onnxruntime`, or take \
         libonnxruntime.so from the PyPI wheel `onnxruntime` and set classifier.runtime or ORT_DYLIB_PATH to it, \
         or set `classifier: {{model: off}}`"
    )]
    RuntimeMissing {
        /// The places looked at.
        searched: String,
    },
    /// The library cannot be used.
    #[error("ONNX Runtime's library {} cannot be used; run `make onnxruntime` for one that fits", path.display())]
    RuntimeRejected {
        /// The library.
        path: PathBuf,
        /// What the loader said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A file cannot be read.
    #[error("cannot read the classifier's file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// The declaration is not one.
    #[error("the classifier's declaration {place} is not valid")]
    Declaration {
        /// Which declaration.
        place: String,
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
    /// The declaration does not fit the model or this program.
    #[error("the classifier's declaration does not fit: {0}")]
    Unfit(String),
    /// ONNX Runtime refused the model or failed to run it.
    #[error("the classifier's model cannot be run")]
    Model(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The tokenizer is not one, or could not read a prompt.
    #[error("the classifier's tokenizer cannot be used")]
    Tokenizer(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The model's answer is no probability.
    #[error("the classifier's model gave {0}, which is no probability")]
    OutOfRange(f32),
    /// A library failed in a way that it does not report.
    #[error("the classifier's model or tokenizer panicked")]
    Panicked,
    /// A thread could not be started.
    #[error("cannot start a classifier thread")]
    Thread(#[source] std::io::Error),
    /// Asked for a score while switched off.
    #[error("the classifier is switched off")]
    Off,
}

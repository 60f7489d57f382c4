//! The files of both stages: built into the program, or in a folder.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::declaration::{Declaration, Reading, require};
use super::onnx::OnnxScorer;
use super::{ClassifyError, ModelSource};

const EMBEDDED: &str = "built into the program";
static LINEAR_MODEL: &[u8] = include_bytes!("../../config/classifier/linear/model.onnx");
pub(super) static LINEAR_DECLARATION: &str = include_str!("../../config/classifier/linear/declaration.json");
static NETWORK_MODEL: &[u8] = include_bytes!("../../config/classifier/model.onnx");
static NETWORK_DECLARATION: &[u8] = include_bytes!("../../config/classifier/declaration.json");
static TOKENIZER: &[u8] = include_bytes!("../../config/classifier/tokenizer.json");

/// What a source holds.
pub(super) struct Files {
    pub(super) linear: LinearFiles,
    pub(super) network: Option<NetworkFiles>,
}

/// A linear head, which belongs to its declaration.
pub(super) struct LinearFiles {
    pub(super) declaration: Declaration,
    /// SHA-256 of the model file, in hex.
    pub(super) sha256: String,
    model: Cow<'static, [u8]>,
}

/// A network, not yet checked.
pub struct NetworkFiles {
    pub(super) declaration: Cow<'static, [u8]>,
    pub(super) model: Cow<'static, [u8]>,
    /// Where the declaration is, for errors.
    pub(super) place: String,
    /// `None`: built into the program.
    folder: Option<PathBuf>,
}

impl Files {
    /// Reads what there is. A folder's declaration says of which stage its model is; a network's folder may have its own
    /// linear head in `linear`, and else takes the one in the program.
    pub(super) fn read(source: &ModelSource) -> Result<Files, ClassifyError> {
        let folder = match source {
            ModelSource::Embedded => {
                return Ok(Files { linear: LinearFiles::embedded()?, network: Some(NetworkFiles::embedded()) });
            }
            ModelSource::Linear => return Ok(Files { linear: LinearFiles::embedded()?, network: None }),
            ModelSource::Folder(folder) => folder,
        };
        let path = folder.join("declaration.json");
        let declaration = read(&path)?;
        let stage: DeclaredStage = serde_json::from_slice(&declaration)
            .map_err(|source| ClassifyError::Declaration { place: path.display().to_string(), source })?;
        match stage.stage.as_str() {
            "linear" => Ok(Files { linear: LinearFiles::folder(folder)?, network: None }),
            "network" => {
                let own = folder.join("linear");
                let linear = if own.is_dir() { LinearFiles::folder(&own)? } else { LinearFiles::embedded()? };
                Ok(Files { linear, network: Some(NetworkFiles::folder(folder)?) })
            }
            other => Err(ClassifyError::Unfit(format!("stage {other:?} is neither linear nor network"))),
        }
    }
}

/// The part of a declaration that says how to read the rest.
#[derive(Deserialize)]
struct DeclaredStage {
    stage: String,
}

impl LinearFiles {
    fn embedded() -> Result<LinearFiles, ClassifyError> {
        LinearFiles::new(LINEAR_MODEL.into(), LINEAR_DECLARATION.as_bytes(), EMBEDDED)
    }

    fn folder(folder: &Path) -> Result<LinearFiles, ClassifyError> {
        let path = folder.join("declaration.json");
        let declaration = read(&path)?;
        LinearFiles::new(read(&folder.join("model.onnx"))?.into(), &declaration, &path.display().to_string())
    }

    fn new(model: Cow<'static, [u8]>, declaration: &[u8], place: &str) -> Result<LinearFiles, ClassifyError> {
        let declaration = Declaration::parse(declaration, place)?;
        belongs("model", &declaration.model_sha256, &model)?;
        Ok(LinearFiles { sha256: declaration.model_sha256.clone(), declaration, model })
    }

    /// A session of its own.
    pub(super) fn open(&self, reading: &Reading, library: Option<&Path>) -> Result<OnnxScorer, ClassifyError> {
        OnnxScorer::open(&self.model, &self.declaration, reading, library)
    }
}

impl NetworkFiles {
    fn embedded() -> NetworkFiles {
        let (declaration, model) = (NETWORK_DECLARATION.into(), NETWORK_MODEL.into());
        NetworkFiles { declaration, model, place: EMBEDDED.to_owned(), folder: None }
    }

    /// Reads a folder.
    pub(super) fn folder(folder: &Path) -> Result<NetworkFiles, ClassifyError> {
        let path = folder.join("declaration.json");
        Ok(NetworkFiles {
            declaration: read(&path)?.into(),
            model: read(&folder.join("model.onnx"))?.into(),
            place: path.display().to_string(),
            folder: Some(folder.to_owned()),
        })
    }

    /// The tokenizer's file.
    pub(super) fn tokenizer(&self, name: &str) -> Result<Cow<'static, [u8]>, ClassifyError> {
        match &self.folder {
            None => Ok(TOKENIZER.into()),
            Some(folder) => read(&folder.join(name)).map(Cow::from),
        }
    }
}

/// Checks that a file is the one that a declaration was written for.
pub(super) fn belongs(what: &str, declared: &str, file: &[u8]) -> Result<(), ClassifyError> {
    let digest = ring::digest::digest(&ring::digest::SHA256, file);
    let found: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    require(found == declared, || format!("it belongs to a {what} of sha256 {declared}, this one has {found}"))
}

fn read(path: &Path) -> Result<Vec<u8>, ClassifyError> {
    std::fs::read(path).map_err(|source| ClassifyError::Read { path: path.to_owned(), source })
}

//! Runs the model file with ONNX Runtime. The only place that knows `ort`.

use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

use ort::environment::Environment;
use ort::logging::LogLevel;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::session::{Session, SessionInputValue};
use ort::value::{Outlet, TensorElementType, TensorRef, ValueType};

use super::declaration::{Declaration, Dimension, Reading, Tensor};
use super::features::Features;
use super::network::NetworkDeclaration;
use super::scorer::{Scorer, Seen, Verdict};
use super::text::Sequence;
use super::{ClassifyError, runtime};

/// The process's one environment; `ort` allows no second, not even after the first is gone.
static ENVIRONMENT: OnceLock<Environment> = OnceLock::new();
/// Held while the environment is made, so that two threads do not both try.
static LOADING: Mutex<()> = Mutex::new(());

/// One session. A session scores one prompt at a time; each thread has its own.
pub(super) struct OnnxScorer {
    session: Session,
}

impl OnnxScorer {
    /// Opens the model and checks that it takes and gives what the declaration says.
    pub(super) fn open(
        model: &[u8],
        declared: &Declaration,
        reading: &Reading,
        library: Option<&Path>,
    ) -> Result<OnnxScorer, ClassifyError> {
        let environment = environment(library)?;
        let session = session(environment, model, false).map_err(|error| ClassifyError::Model(error.into()))?;
        let inputs = [&declared.inputs.ids, &declared.inputs.weights, &declared.inputs.surface];
        check_all("input", session.inputs(), &inputs)?;
        check_all("output", session.outputs(), &[&declared.output])?;
        let mut scorer = OnnxScorer { session };
        // A graph does not say how many buckets its table has; the last one must be there.
        scorer.difficulty(&Features::single(reading.buckets - 1))?;
        Ok(scorer)
    }
}

impl Scorer for OnnxScorer {
    fn score(&mut self, seen: &Seen) -> Result<Verdict, ClassifyError> {
        Ok(Verdict { difficulty: self.difficulty(&seen.features)?, embedding: None })
    }
}

impl OnnxScorer {
    fn difficulty(&mut self, features: &Features) -> Result<f32, ClassifyError> {
        let p_weak = self.p_weak(features).map_err(|error| ClassifyError::Model(error.into()))?;
        if p_weak.is_finite() && (0.0..=1.0).contains(&p_weak) {
            return Ok(1.0 - p_weak);
        }
        Err(ClassifyError::OutOfRange(p_weak))
    }

    fn p_weak(&mut self, features: &Features) -> ort::Result<f32> {
        let count = features.ids.len();
        // By position, which is cheaper than by name; `open` has checked the order.
        let inputs = ort::inputs![
            TensorRef::from_array_view(([count], features.ids.as_slice()))?,
            TensorRef::from_array_view(([1, count], features.weights.as_slice()))?,
            TensorRef::from_array_view(([1, features.surface.len()], features.surface.as_slice()))?
        ];
        let outputs = self.session.run(inputs)?;
        let (_, values) = outputs[0].try_extract_tensor::<f32>()?;
        values.first().copied().ok_or_else(|| ort::Error::new("the model gave no value"))
    }
}

/// A network's session and which of the optional inputs and outputs it has.
pub(super) struct NetworkSession {
    session: Session,
    takes_types: bool,
    takes_surface: bool,
    takes_linear: bool,
    difficulty: Option<String>,
    probabilities: Option<String>,
    embedding: Option<String>,
}

/// What a network's graph gave for one prompt.
pub(super) struct NetworkOutput {
    pub(super) difficulty: Option<f32>,
    pub(super) probabilities: Vec<f32>,
    pub(super) embedding: Vec<f32>,
}

impl NetworkSession {
    /// Opens the model and checks that it takes and gives what the declaration says.
    pub(super) fn open(
        model: &[u8],
        declared: &NetworkDeclaration,
        library: Option<&Path>,
    ) -> Result<NetworkSession, ClassifyError> {
        let environment = environment(library)?;
        let session = session(environment, model, true).map_err(|error| ClassifyError::Model(error.into()))?;
        check_all("input", session.inputs(), &declared.inputs.all())?;
        check_all("output", session.outputs(), &declared.outputs.all())?;
        let name = |tensor: &Option<Tensor>| tensor.as_ref().map(|tensor| tensor.name.clone());
        Ok(NetworkSession {
            session,
            takes_types: declared.inputs.types.is_some(),
            takes_surface: declared.inputs.surface.is_some(),
            takes_linear: declared.inputs.linear.is_some(),
            difficulty: name(&declared.outputs.difficulty),
            probabilities: name(&declared.outputs.probabilities),
            embedding: name(&declared.outputs.embedding),
        })
    }

    /// Runs one prompt; `linear` is the linear stage's p_weak.
    pub(super) fn run(
        &mut self,
        sequence: &Sequence,
        surface: &[f32],
        linear: f32,
    ) -> Result<NetworkOutput, ClassifyError> {
        self.try_run(sequence, surface, linear).map_err(|error| ClassifyError::Model(error.into()))
    }

    fn try_run(&mut self, sequence: &Sequence, surface: &[f32], linear: f32) -> ort::Result<NetworkOutput> {
        let shape = [1, sequence.ids.len()];
        let linear = [linear];
        // By position, which is cheaper than by name; `open` has checked the order.
        let mut inputs: Vec<SessionInputValue<'_>> = vec![
            TensorRef::from_array_view((shape, sequence.ids.as_slice()))?.into(),
            TensorRef::from_array_view((shape, sequence.mask.as_slice()))?.into(),
        ];
        if self.takes_types {
            inputs.push(TensorRef::from_array_view((shape, sequence.types.as_slice()))?.into());
        }
        if self.takes_surface {
            inputs.push(TensorRef::from_array_view(([1, surface.len()], surface))?.into());
        }
        if self.takes_linear {
            inputs.push(TensorRef::from_array_view(([1, 1], linear.as_slice()))?.into());
        }
        let outputs = self.session.run(inputs.as_slice())?;
        let values = |name: &Option<String>| -> ort::Result<Vec<f32>> {
            let Some(name) = name else {
                return Ok(Vec::new());
            };
            Ok(outputs[name.as_str()].try_extract_tensor::<f32>()?.1.to_vec())
        };
        let (probabilities, embedding) = (values(&self.probabilities)?, values(&self.embedding)?);
        Ok(NetworkOutput { difficulty: values(&self.difficulty)?.first().copied(), probabilities, embedding })
    }
}

fn environment(library: Option<&Path>) -> Result<&'static Environment, ClassifyError> {
    let path = runtime::locate(library)?;
    let _guard = LOADING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(environment) = ENVIRONMENT.get() {
        return Ok(environment);
    }
    let built = ort::init_from(&path)
        .map_err(|source| ClassifyError::RuntimeRejected { path, source: Box::new(source) })?
        .with_name("waypost")
        .with_telemetry(false)
        .build()
        .map_err(|error| ClassifyError::Model(error.into()))?;
    // Errors are returned; what the library would print besides goes nowhere useful.
    built.set_log_level(LogLevel::Fatal);
    Ok(ENVIRONMENT.get_or_init(|| built))
}

/// One thread, which is the caller's; no memory pattern, which would be kept for each length of prompt. With an `arena`
/// the memory of a run is kept for the next one: for a network that is faster, for the linear head it is only memory.
fn session(environment: &Environment, model: &[u8], arena: bool) -> ort::Result<Session> {
    let cpu = ort::ep::CPU::default().with_arena_allocator(arena).build();
    let mut builder: SessionBuilder = Session::builder(environment)?
        .with_execution_providers([cpu])?
        .with_optimization_level(GraphOptimizationLevel::All)?
        .with_intra_threads(1)?
        .with_inter_threads(1)?
        .with_intra_op_spinning(false)?
        .with_inter_op_spinning(false)?
        .with_memory_pattern(false)?
        .with_log_level(LogLevel::Fatal)?;
    builder.commit_from_memory(model)
}

fn check_all(side: &str, found: &[Outlet], declared: &[&Tensor]) -> Result<(), ClassifyError> {
    let names = || found.iter().map(|outlet| outlet.name()).collect::<Vec<_>>().join(", ");
    if found.len() != declared.len() {
        return Err(ClassifyError::Unfit(format!(
            "the model has {} {side}s ({}), the declaration {}",
            found.len(),
            names(),
            declared.len()
        )));
    }
    for (outlet, tensor) in found.iter().zip(declared) {
        if outlet.name() != tensor.name {
            return Err(ClassifyError::Unfit(format!(
                "the model's {side}s are {}, where the declaration has {}",
                names(),
                tensor.name
            )));
        }
        if !fits(outlet.dtype(), tensor) {
            return Err(ClassifyError::Unfit(format!(
                "{side} {} is {} in the model, {} {:?} in the declaration",
                tensor.name,
                outlet.dtype(),
                tensor.kind,
                tensor.shape
            )));
        }
    }
    Ok(())
}

fn fits(found: &ValueType, declared: &Tensor) -> bool {
    let ValueType::Tensor { ty, shape, .. } = found else {
        return false;
    };
    let kind = match ty {
        TensorElementType::Int64 => "int64",
        TensorElementType::Float32 => "float32",
        _ => return false,
    };
    let same = |(found, declared): (&i64, &Dimension)| match declared {
        Dimension::Fixed(size) => found == size,
        Dimension::Varies(_) => *found == -1,
    };
    kind == declared.kind && shape.len() == declared.shape.len() && shape.iter().zip(&declared.shape).all(same)
}

//! What the network stage promises, with the shipped folder and the real ONNX Runtime.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::declaration::{Declaration, Reading};
use super::files::{LINEAR_DECLARATION, NetworkFiles};
use super::network::{Network, NetworkScore};
use super::*;

#[derive(Deserialize)]
struct Reference {
    parts: Vec<(String, String)>,
    tools: usize,
    images: usize,
    difficulty: f32,
    probabilities: Vec<f32>,
    embedding_0: f32,
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn shipped() -> PathBuf {
    repository().join("config/classifier")
}

/// The linear stage, which runs first, and the network.
type Stages = (Inline, Network);

fn load(folder: &Path) -> Result<Network, ClassifyError> {
    Network::open(&NetworkFiles::folder(folder)?, usize::MAX, None)
}

fn open(folder: &Path) -> Stages {
    let files = Files::read(&ModelSource::Linear).unwrap().linear;
    let linear = Inline::open(|| Ok(Box::new(files.open(&reading(), None)?)));
    (linear.unwrap_or_else(|error| panic!("{error}")), load(folder).unwrap_or_else(|error| panic!("{error}")))
}

fn reading() -> Reading {
    Declaration::parse(LINEAR_DECLARATION.as_bytes(), "built in").unwrap().reading().unwrap()
}

fn score<'n>(
    (linear, network): &'n mut Stages,
    parts: &[(String, String)],
    tools: usize,
    images: usize,
) -> NetworkScore<'n> {
    let role = |name: &str| match name {
        "system" => Role::System,
        "assistant" => Role::Assistant,
        "tool" => Role::Tool,
        _ => Role::User,
    };
    let texts: Vec<Text> = parts.iter().map(|(name, text)| Text { role: role(name), text: text.clone() }).collect();
    let prompt = Prompt { texts: &texts, tools, images };
    let mut seen = Seen::default();
    seen.features.extract(&prompt, &reading());
    seen.excerpt.take(&prompt, network.reading());
    seen.linear = linear.score(&seen).unwrap();
    network.read(&seen.excerpt, &seen.features, seen.linear).unwrap()
}

fn alone<'n>(stages: &'n mut Stages, text: &str) -> NetworkScore<'n> {
    score(stages, &[("user".to_owned(), text.to_owned())], 0, 0)
}

fn reference() -> Vec<Reference> {
    let packed = std::fs::File::open(repository().join("benches/training/reference.jsonl.gz")).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed).read_to_string(&mut text).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A copy of the shipped folder with its declaration changed.
fn folder_with(change: impl FnOnce(&mut serde_json::Value)) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["model.onnx", "tokenizer.json"] {
        std::fs::copy(shipped().join(name), folder.path().join(name)).unwrap();
    }
    let text = std::fs::read(shipped().join("declaration.json")).unwrap();
    let mut declaration = serde_json::from_slice(&text).unwrap();
    change(&mut declaration);
    std::fs::write(folder.path().join("declaration.json"), declaration.to_string()).unwrap();
    folder
}

fn refusal(change: impl FnOnce(&mut serde_json::Value)) -> String {
    let folder = folder_with(change);
    load(folder.path()).err().expect("the folder should be refused").to_string()
}

#[test]
fn rust_and_python_give_the_same_score_on_a_thousand_prompts() {
    let mut stages = open(&shipped());
    let cases = reference();
    assert_eq!(cases.len(), 1000);
    let mut worst = (0.0f32, String::new());
    for case in &cases {
        let found = score(&mut stages, &case.parts, case.tools, case.images);
        let declared = ["p_weak", "p_strong", "p_mean"].map(|name| found.probabilities[name]);
        let mut apart = (found.difficulty - case.difficulty).abs();
        for (a, b) in declared.iter().zip(&case.probabilities) {
            apart = apart.max((a - b).abs());
        }
        assert_eq!(found.embedding.len(), 384);
        assert!((found.embedding[0] - case.embedding_0).abs() < 1e-3, "{:?}", case.parts);
        if apart > worst.0 {
            worst = (apart, format!("{:?}", case.parts));
        }
    }
    assert!(worst.0 <= 1e-4, "{} apart on {:.200}", worst.0, worst.1);
}

#[test]
fn the_network_was_mixed_with_the_linear_stage_that_is_built_in() {
    let linear = Files::read(&ModelSource::Linear).unwrap().linear.sha256;
    let network = load(&shipped()).unwrap();
    network.belongs_to(&linear).unwrap();
    let other = network.belongs_to("00").unwrap_err().to_string();
    assert!(other.contains(&linear) && other.contains("folder `linear`"), "{other}");
}

#[test]
fn greetings_are_easy_and_proofs_are_hard() {
    let mut stages = open(&shipped());
    let hi = alone(&mut stages, "hi").difficulty;
    let proof = alone(&mut stages, "Prove that every finite group of odd order is solvable.").difficulty;
    assert!(hi <= 0.08 && proof >= 0.6, "hi {hi}, proof {proof}");
}

#[test]
fn the_last_user_turn_counts_most() {
    let mut stages = open(&shipped());
    let turn = |role: &str, text: &str| (role.to_owned(), text.to_owned());
    let hard = "Prove that the sum of the reciprocals of the primes diverges and bound its growth from both sides.";
    let thanks = [turn("user", hard), turn("assistant", "Here you are."), turn("user", "thank you!")];
    let asked = [turn("user", "hello"), turn("assistant", "Hello!"), turn("user", hard)];
    let thanks = score(&mut stages, &thanks, 0, 0).difficulty;
    let asked = score(&mut stages, &asked, 0, 0).difficulty;
    assert!(thanks + 0.3 < asked, "{thanks} {asked}");
}

#[test]
fn a_declaration_that_does_not_fit_is_refused_by_name() {
    assert!(refusal(|d| d["model_sha256"] = "00".into()).contains("model of sha256"));
    assert!(refusal(|d| d["tokenizer_sha256"] = "00".into()).contains("tokenizer of sha256"));
    assert!(refusal(|d| d["batch"] = 8.into()).contains("batch 8"));
    assert!(refusal(|d| d["format"] = 9.into()).contains("format 9"));
    assert!(refusal(|d| d["inputs"]["ids"]["name"] = "tokens".into()).contains("tokens"));
    assert!(refusal(|d| d["inputs"]["surface"]["meaning"][0] = "x".into()).contains("surface"));
    assert!(refusal(|d| d["reading"]["separator"] = "<s>".into()).contains("<s>"));
    assert!(refusal(|d| d["reading"]["max_tokens"] = 60.into()).contains("max_tokens"));
    assert!(refusal(|d| d["linear_sha256"] = serde_json::Value::Null).contains("linear_sha256"));
    assert!(refusal(|d| d["tokenizer"] = "../tokenizer.json".into()).contains("same folder"));
}

#[test]
fn fewer_tokens_may_be_asked_for_but_not_too_few() {
    let files = NetworkFiles::folder(&shipped()).unwrap();
    let mut short = Network::open(&files, 128, None).unwrap();
    let long = "a long word after another ".repeat(200);
    let texts = [Text { role: Role::User, text: long }];
    let mut seen = Seen::default();
    let prompt = Prompt { texts: &texts, tools: 0, images: 0 };
    seen.features.extract(&prompt, &reading());
    seen.excerpt.take(&prompt, short.reading());
    let fewer = short.read(&seen.excerpt, &seen.features, 0.5).unwrap().difficulty;
    let mut whole = load(&shipped()).unwrap();
    assert_ne!(whole.read(&seen.excerpt, &seen.features, 0.5).unwrap().difficulty, fewer);
    let refused = Network::open(&files, 16, None).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(refused.contains("max_tokens 16"), "{refused}");
}

#[test]
fn a_folder_that_gives_no_difficulty_is_refused() {
    let only_embedding = refusal(|d| {
        d["outputs"]["difficulty"] = serde_json::Value::Null;
        d["outputs"]["probabilities"]["meaning"] = "something".into();
    });
    assert!(only_embedding.contains("p_weak"), "{only_embedding}");
}

//! What the classifier promises, with the real ONNX Runtime. The library must be there: a missing one fails the
//! tests with the remedy in the message.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use serde::Deserialize;

use super::declaration::Declaration;
use super::files::LINEAR_DECLARATION;
use super::*;

#[derive(Deserialize)]
struct Golden {
    parts: Vec<(String, String)>,
    tools: usize,
    images: usize,
    ids: usize,
    ids_digest: String,
    weight_min: f32,
    weight_max: f32,
    surface: Vec<f32>,
    p_weak: f32,
}

fn settings(model: ModelSource) -> Settings {
    Settings { model, runtime: None, deadline: Duration::from_secs(30), threads: 1, queue: 64, max_tokens: 512 }
}

/// The linear head alone, whose promises these are.
fn head() -> Classifier {
    Classifier::load(&settings(ModelSource::Linear)).unwrap_or_else(|error| panic!("{error}"))
}

fn both() -> Classifier {
    Classifier::load(&settings(ModelSource::Embedded)).unwrap_or_else(|error| panic!("{error}"))
}

fn acme() -> TenantName {
    TenantName::from("acme")
}

fn part(role: Role, text: &str) -> Text {
    Text { role, text: text.to_owned() }
}

fn difficulty(classifier: &Classifier, text: &str) -> f32 {
    let texts = [part(Role::User, text)];
    classifier.score_blocking(&Prompt { texts: &texts, tools: 0, images: 0 }).unwrap().difficulty
}

fn golden() -> Vec<Golden> {
    include_str!("testdata/golden.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn parts(golden: &Golden) -> Vec<Text> {
    let role = |name: &str| match name {
        "system" => Role::System,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" => Role::Tool,
        other => panic!("role {other}"),
    };
    golden.parts.iter().map(|(name, text)| part(role(name), text)).collect()
}

fn digest(ids: &[i64]) -> String {
    let mut sorted = ids.to_vec();
    sorted.sort_unstable();
    let step = |hash: u64, id: &i64| (hash ^ *id as u64).wrapping_mul(0x0000_0100_0000_01b3);
    format!("{:016x}", sorted.iter().fold(0xcbf2_9ce4_8422_2325, step))
}

#[test]
fn features_are_those_of_the_training_script() {
    let reading = Declaration::parse(LINEAR_DECLARATION.as_bytes(), "embedded").unwrap().reading().unwrap();
    let mut features = Features::default();
    let cases = golden();
    assert!(cases.len() >= 50, "only {} golden prompts", cases.len());
    for case in &cases {
        let texts = parts(case);
        features.extract(&Prompt { texts: &texts, tools: case.tools, images: case.images }, &reading);
        let shown: String = case.parts.last().map_or("", |part| &part.1).chars().take(60).collect();
        assert_eq!(features.ids.len(), case.ids, "number of buckets of {shown:?}");
        assert_eq!(digest(&features.ids), case.ids_digest, "buckets of {shown:?}");
        let min = features.weights.iter().copied().reduce(f32::min).unwrap_or(0.0);
        let max = features.weights.iter().copied().reduce(f32::max).unwrap_or(0.0);
        assert!((min - case.weight_min).abs() < 1e-6 && (max - case.weight_max).abs() < 1e-6, "weights of {shown:?}");
        for ((name, got), want) in surface::SURFACE.iter().zip(&features.surface).zip(&case.surface) {
            assert!((got - want).abs() < 1e-5, "{name} of {shown:?}: {got}, in Python {want}");
        }
    }
}

#[test]
fn scores_are_those_of_the_training_script() {
    let classifier = head();
    for case in &golden() {
        let texts = parts(case);
        let prompt = Prompt { texts: &texts, tools: case.tools, images: case.images };
        let got = 1.0 - classifier.score_blocking(&prompt).unwrap().difficulty;
        assert!((got - case.p_weak).abs() < 1e-4, "{got}, in Python {}", case.p_weak);
    }
}

#[test]
fn hi_is_easy_and_an_olympiad_proof_is_hard() {
    let classifier = head();
    for easy in ["hi", "Hi!", "thank you", "ciao", "你好", "What is the capital of France?"] {
        let score = difficulty(&classifier, easy);
        assert!(score <= 0.15, "{easy:?} scored {score}");
    }
    // None of these is in the training data. Other languages than English rest on fewer anchors.
    for (floor, hard) in [
        (
            0.8,
            "Let n be a positive integer. Prove that there are infinitely many primes p for which p divides k^2 + n for some integer k, and determine their density.",
        ),
        (
            0.8,
            "Prove that if a, b, c are the side lengths of a triangle, then a^2 b(a - b) + b^2 c(b - c) + c^2 a(c - a) \\ge 0, and determine when equality occurs.",
        ),
        (
            0.7,
            "Soit ABC un triangle et I le centre de son cercle inscrit. Démontrer que AI + BI + CI est minimal si et seulement si le triangle est équilatéral.",
        ),
        (0.7, "设a,b,c为三角形的三边长，证明a^2b(a-b)+b^2c(b-c)+c^2a(c-a)≥0，并求等号成立的条件。"),
    ] {
        let score = difficulty(&classifier, hard);
        assert!(score >= floor, "{hard:?} scored {score}");
    }
}

#[test]
fn the_last_user_turn_counts_most() {
    let classifier = head();
    let hard =
        "Prove that every finite group of odd order with a faithful irreducible character of prime degree is solvable.";
    let score = |texts: &[Text]| classifier.score_blocking(&Prompt { texts, tools: 0, images: 0 }).unwrap().difficulty;
    let thanks = score(&[part(Role::User, hard), part(Role::Assistant, "Done."), part(Role::User, "thanks!")]);
    let then_hard = score(&[part(Role::User, "thanks!"), part(Role::Assistant, "Done."), part(Role::User, hard)]);
    assert!(thanks + 0.3 < then_hard, "thanks after a proof {thanks}, a proof after thanks {then_hard}");
}

#[test]
fn a_prompt_of_any_length_is_read_within_the_stated_bytes() {
    let reading = Declaration::parse(LINEAR_DECLARATION.as_bytes(), "embedded").unwrap().reading().unwrap();
    let long = "ä word 語 ".repeat(200_000);
    let mut texts: Vec<_> = (0..2000).map(|_| part(Role::User, "ä word 語 and some more")).collect();
    texts.push(part(Role::User, &long));
    let mut features = Features::default();
    features.extract(&Prompt { texts: &texts, tools: 0, images: 0 }, &reading);
    let bytes = reading.head_bytes + reading.tail_bytes + reading.context_bytes;
    assert!(features.ids.len() <= 3 * bytes, "{} buckets", features.ids.len());
}

fn shipped_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config/classifier/linear")
}

/// A copy of the shipped folder with its declaration changed.
fn folder_with(change: impl FnOnce(&mut serde_json::Value)) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut declaration = serde_json::from_str(LINEAR_DECLARATION).unwrap();
    change(&mut declaration);
    std::fs::write(folder.path().join("declaration.json"), declaration.to_string()).unwrap();
    std::fs::copy(shipped_folder().join("model.onnx"), folder.path().join("model.onnx")).unwrap();
    folder
}

fn refusal(folder: &Path) -> String {
    let error = check(&settings(ModelSource::Folder(folder.to_owned()))).expect_err("the folder should be refused");
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

#[test]
fn the_shipped_folder_is_what_is_built_in() {
    check(&settings(ModelSource::Embedded)).unwrap();
    let folder = Classifier::load(&settings(ModelSource::Folder(shipped_folder()))).unwrap();
    let shipped = both();
    assert_eq!(folder.model_hash(Stage::Linear), shipped.model_hash(Stage::Linear));
    assert_eq!(folder.model_hash(Stage::Network), None);
    let folder = shipped_folder().parent().unwrap().to_owned();
    let folder = Classifier::load(&settings(ModelSource::Folder(folder))).unwrap();
    assert_eq!((folder.stage(), folder.name()), (Stage::Network, shipped.name()));
    assert_eq!(folder.model_hash(Stage::Network), shipped.model_hash(Stage::Network));
    assert!(folder.model_hash(Stage::Network).is_some_and(|hash| hash.starts_with("sha256:")));
}

#[test]
fn another_file_gives_another_score() {
    let other = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/classify/testdata/other-model");
    let other = Classifier::load(&settings(ModelSource::Folder(other))).unwrap();
    let shipped = head();
    assert_ne!(other.model_hash(Stage::Linear), shipped.model_hash(Stage::Linear));
    let (a, b) = (difficulty(&shipped, "hi"), difficulty(&other, "hi"));
    assert!((a - b).abs() > 0.01, "both files scored {a}");
}

#[test]
fn a_missing_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    assert!(refusal(folder.path()).contains("declaration.json"));
    let folder = folder_with(|_| ());
    std::fs::remove_file(folder.path().join("model.onnx")).unwrap();
    assert!(refusal(folder.path()).contains("model.onnx"));
}

#[test]
fn a_broken_model_is_refused() {
    let garbage = b"this is no model";
    let digest = ring::digest::digest(&ring::digest::SHA256, garbage);
    let hash: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let folder = folder_with(|declaration| declaration["model_sha256"] = hash.into());
    std::fs::write(folder.path().join("model.onnx"), garbage).unwrap();
    let text = refusal(folder.path());
    assert!(text.contains("model cannot be run"), "{text}");
}

#[test]
fn a_model_changed_under_its_declaration_is_refused() {
    let folder = folder_with(|_| ());
    std::fs::write(folder.path().join("model.onnx"), b"this is no model").unwrap();
    let text = refusal(folder.path());
    assert!(text.contains("sha256"), "{text}");
}

#[test]
fn a_declaration_that_does_not_fit_is_refused_with_the_reason() {
    type Change = fn(&mut serde_json::Value);
    let cases: [(Change, &str); 9] = [
        (|d| d["format"] = 2.into(), "format 2"),
        (|d| d["stage"] = "other".into(), "neither linear nor network"),
        (|d| d["features"]["hash"] = "murmur3".into(), "murmur3"),
        (|d| d["features"]["buckets"] = 1000.into(), "buckets 1000"),
        (|d| d["features"]["char_ngram"] = 0.into(), "char_ngram 0"),
        (|d| d["surprise"] = true.into(), "surprise"),
        (|d| d["inputs"]["ids"]["name"] = "tokens".into(), "tokens"),
        (|d| d["inputs"]["surface"]["shape"][1] = 3.into(), "surface"),
        (|d| d["output"]["name"] = "label".into(), "label"),
    ];
    for (change, word) in cases {
        let text = refusal(folder_with(change).path());
        assert!(text.contains(word), "{word}: {text}");
    }
}

#[test]
fn buckets_beyond_the_models_table_are_refused() {
    let folder = folder_with(|declaration| declaration["features"]["buckets"] = (1 << 20).into());
    let text = refusal(folder.path());
    assert!(text.contains("model cannot be run"), "{text}");
}

#[test]
fn a_missing_runtime_says_how_to_get_it() {
    let mut settings = settings(ModelSource::Embedded);
    settings.runtime = Some("/nowhere/libonnxruntime.so".into());
    let text = check(&settings).unwrap_err().to_string();
    for word in ["/nowhere/libonnxruntime.so", "make onnxruntime", "classifier.runtime", "model: off"] {
        assert!(text.contains(word), "{word}: {text}");
    }
}

fn hi() -> [Text; 1] {
    [part(Role::User, "hi")]
}

#[tokio::test]
async fn a_score_names_its_stage_and_equals_the_blocking_one() {
    let (head, both) = (head(), both());
    let texts = hi();
    let prompt = Prompt { texts: &texts, tools: 0, images: 0 };
    let linear = head.score(&acme(), &prompt).await;
    assert_eq!(linear.difficulty, Some(difficulty(&head, "hi")));
    assert_eq!((linear.stage, linear.reason), (Stage::Linear, Some(Unscored::Absent)));
    let network = both.score(&acme(), &prompt).await;
    assert_eq!(network.difficulty, Some(difficulty(&both, "hi")));
    assert_eq!((network.stage, network.reason), (Stage::Network, None));
    assert_eq!(network.embedding.as_ref().map(|embedding| embedding.len()), Some(384));
    assert_ne!(network.difficulty, linear.difficulty);
    // From memory this time, and the same.
    let again = both.score(&acme(), &prompt).await;
    assert_eq!(
        (again.difficulty, again.stage, again.embedding),
        (network.difficulty, Stage::Network, network.embedding)
    );
}

#[tokio::test]
async fn switched_off_scores_nothing() {
    let score = Classifier::off().score(&acme(), &Prompt { texts: &hi(), tools: 0, images: 0 }).await;
    assert_eq!((score.difficulty, score.stage, score.reason), (None, Stage::None, Some(Unscored::Off)));
}

/// Asserts that the linear score stands, for this reason.
fn stands(score: &Score, reason: Unscored) {
    assert_eq!((score.stage, score.reason), (Stage::Linear, Some(reason)));
    assert_eq!(score.difficulty, Some(difficulty(&head(), "hi")));
}

#[tokio::test]
async fn without_time_the_linear_score_stands() {
    let settings = Settings { deadline: Duration::ZERO, ..settings(ModelSource::Embedded) };
    let classifier = Classifier::load(&settings).unwrap();
    stands(&classifier.score(&acme(), &Prompt { texts: &hi(), tools: 0, images: 0 }).await, Unscored::Late);
}

/// A network that says when it begins and ends when it is told to.
struct Held {
    begun: mpsc::Sender<()>,
    go: mpsc::Receiver<()>,
}

impl Scorer for Held {
    fn score(&mut self, _: &Seen) -> Result<Verdict, ClassifyError> {
        self.begun.send(()).unwrap();
        match self.go.recv() {
            Ok(()) => Ok(Verdict { difficulty: 0.5, embedding: None }),
            Err(_) => Err(ClassifyError::OutOfRange(f32::NAN)),
        }
    }
}

/// The real linear head before a held network.
fn held(deadline: Duration, queue: usize) -> (Classifier, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (begun, begins) = mpsc::channel();
    let (go, gone) = mpsc::channel();
    (behind(Box::new(Held { begun, go: gone }), deadline, queue), begins, go)
}

/// The real linear head before this network.
fn behind(network: Box<dyn Scorer>, deadline: Duration, queue: usize) -> Classifier {
    let files = Files::read(&ModelSource::Linear).unwrap().linear;
    let reading = files.declaration.reading().unwrap();
    let workers = Workers::start(vec![network], queue).unwrap();
    let running = Running {
        linear: Inline::open(|| Ok(Box::new(files.open(&reading, None)?))).unwrap(),
        linear_hash: "sha256:linear".into(),
        network: Some(SecondStage { workers, reading: TextReading::default(), hash: "sha256:held".into() }),
        reading,
        deadline,
        spare: Mutex::default(),
        name: "held".to_owned(),
    };
    Classifier { running: Some(Arc::new(running)) }
}

#[tokio::test]
async fn where_the_network_is_slow_the_linear_score_stands_at_the_deadline() {
    let (classifier, _begins, _go) = held(Duration::from_millis(1), 4);
    stands(&classifier.score(&acme(), &Prompt { texts: &hi(), tools: 0, images: 0 }).await, Unscored::Late);
}

#[tokio::test]
async fn a_full_queue_is_said_at_once_and_abandoned_prompts_are_skipped() {
    let (classifier, begins, go) = held(Duration::from_secs(30), 1);
    let (texts, acme) = (hi(), acme());
    let prompt = Prompt { texts: &texts, tools: 0, images: 0 };
    let mut running = Box::pin(classifier.score(&acme, &prompt));
    assert!(futures_poll(running.as_mut()).await.is_none());
    begins.recv().unwrap();
    let mut waiting = Box::pin(classifier.score(&acme, &prompt));
    assert!(futures_poll(waiting.as_mut()).await.is_none());
    stands(&classifier.score(&acme, &prompt).await, Unscored::QueueFull);

    // The waiting client hangs up; its prompt must not hold the thread, nor a place.
    drop(waiting);
    let other = [part(Role::User, "another one")];
    let other = Prompt { texts: &other, tools: 0, images: 0 };
    let mut next = Box::pin(classifier.score(&acme, &other));
    assert!(futures_poll(next.as_mut()).await.is_none(), "the place of the abandoned prompt was not free");
    go.send(()).unwrap();
    assert_eq!(running.await.difficulty, Some(0.5));
    begins.recv().unwrap();
    go.send(()).unwrap();
    assert_eq!(next.await.difficulty, Some(0.5));
    assert!(begins.try_recv().is_err(), "the abandoned prompt was scored");
    // It was scored all the same, for somebody else, and is remembered.
    let again = classifier.score(&acme, &prompt).await;
    assert_eq!((again.difficulty, again.stage), (Some(0.5), Stage::Network));
    assert!(begins.try_recv().is_err(), "a remembered prompt was scored again");
}

#[tokio::test]
async fn one_tenants_crowd_takes_no_place_of_another() {
    let (classifier, begins, go) = held(Duration::from_secs(30), 2);
    let texts: Vec<[Text; 1]> = (0..4).map(|n| [part(Role::User, &format!("prompt {n}"))]).collect();
    let prompts: Vec<Prompt<'_>> = texts.iter().map(|texts| Prompt { texts, tools: 0, images: 0 }).collect();
    let (busy, quiet) = (TenantName::from("busy"), TenantName::from("quiet"));
    let mut first = Box::pin(classifier.score(&busy, &prompts[0]));
    assert!(futures_poll(first.as_mut()).await.is_none());
    begins.recv().unwrap();
    let mut second = Box::pin(classifier.score(&busy, &prompts[1]));
    let mut third = Box::pin(classifier.score(&busy, &prompts[2]));
    assert!(futures_poll(second.as_mut()).await.is_none() && futures_poll(third.as_mut()).await.is_none());
    let mut other = Box::pin(classifier.score(&quiet, &prompts[3]));
    assert!(futures_poll(other.as_mut()).await.is_none(), "the quiet tenant found no place");
    assert_eq!(third.await.reason, Some(Unscored::QueueFull));
    for _ in 0..3 {
        go.send(()).unwrap();
    }
    for score in [first.await, second.await, other.await] {
        assert_eq!((score.difficulty, score.stage), (Some(0.5), Stage::Network));
    }
}

#[tokio::test]
async fn a_prompt_that_would_come_late_does_not_wait() {
    let (classifier, begins, go) = held(Duration::from_secs(3600), 8);
    let texts: Vec<[Text; 1]> = (0..3).map(|n| [part(Role::User, &format!("prompt {n}"))]).collect();
    let prompts: Vec<Prompt<'_>> = texts.iter().map(|texts| Prompt { texts, tools: 0, images: 0 }).collect();
    let network = classifier.running.as_ref().unwrap().network.as_ref().unwrap();
    network.workers.expect(Duration::from_secs(3000));
    let acme = acme();
    let mut first = Box::pin(classifier.score(&acme, &prompts[0]));
    assert!(futures_poll(first.as_mut()).await.is_none(), "nothing was ahead of it");
    begins.recv().unwrap();
    let second = classifier.score(&acme, &prompts[1]).await;
    assert_eq!((second.stage, second.reason), (Stage::Linear, Some(Unscored::Late)));
    go.send(()).unwrap();
    first.await;
}

/// A network that panics at its first prompt.
struct Fragile(bool);

impl Scorer for Fragile {
    fn score(&mut self, _: &Seen) -> Result<Verdict, ClassifyError> {
        assert!(std::mem::replace(&mut self.0, true), "the first prompt is too much");
        Ok(Verdict { difficulty: 0.5, embedding: None })
    }
}

#[tokio::test]
async fn a_network_that_panics_fails_for_that_prompt_alone() {
    let classifier = behind(Box::new(Fragile(false)), Duration::from_secs(30), 4);
    stands(&classifier.score(&acme(), &Prompt { texts: &hi(), tools: 0, images: 0 }).await, Unscored::Failed);
    let other = [part(Role::User, "another one")];
    let score = classifier.score(&acme(), &Prompt { texts: &other, tools: 0, images: 0 }).await;
    assert_eq!((score.difficulty, score.stage), (Some(0.5), Stage::Network));
}

#[tokio::test]
async fn a_crowd_makes_nobody_else_late() {
    let (classifier, begins, go) = held(Duration::from_secs(3600), 8);
    let texts: Vec<[Text; 1]> = (0..5).map(|n| [part(Role::User, &format!("prompt {n}"))]).collect();
    let prompts: Vec<Prompt<'_>> = texts.iter().map(|texts| Prompt { texts, tools: 0, images: 0 }).collect();
    let network = classifier.running.as_ref().unwrap().network.as_ref().unwrap();
    // Three rounds fit into the hour, a fourth does not.
    network.workers.expect(Duration::from_secs(1000));
    let (busy, quiet) = (TenantName::from("busy"), TenantName::from("quiet"));
    let mut taken = Vec::new();
    for prompt in &prompts[..3] {
        let mut score = Box::pin(classifier.score(&busy, prompt));
        assert!(futures_poll(score.as_mut()).await.is_none());
        taken.push(score);
        if taken.len() == 1 {
            begins.recv().unwrap();
        }
    }
    assert_eq!(classifier.score(&busy, &prompts[3]).await.reason, Some(Unscored::Late));
    let mut other = Box::pin(classifier.score(&quiet, &prompts[4]));
    assert!(futures_poll(other.as_mut()).await.is_none(), "another tenant's crowd made it late");
    for _ in 0..4 {
        go.send(()).unwrap();
    }
    assert_eq!(other.await.difficulty, Some(0.5));
}

#[test]
fn any_number_of_empty_parts_is_read_as_none() {
    let network = both();
    let running = network.running.as_ref().unwrap();
    let mut texts = vec![part(Role::Assistant, ""); 10_000];
    texts.push(part(Role::User, "hi"));
    let seen = running.first(&Prompt { texts: &texts, tools: 0, images: 0 }).unwrap();
    let pieces = format!("{:?}", seen.excerpt);
    assert!(pieces.len() < 200, "{} bytes to read \"hi\"", pieces.len());
}

#[tokio::test]
async fn where_the_network_fails_the_linear_score_stands() {
    let (classifier, _begins, go) = held(Duration::from_secs(30), 4);
    drop(go);
    stands(&classifier.score(&acme(), &Prompt { texts: &hi(), tools: 0, images: 0 }).await, Unscored::Failed);
}

/// Polls once and gives the result if it is there.
async fn futures_poll<F: Future + Unpin>(mut future: F) -> Option<F::Output> {
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(match std::pin::Pin::new(&mut future).poll(context) {
            std::task::Poll::Ready(value) => Some(value),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

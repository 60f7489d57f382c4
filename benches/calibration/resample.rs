//! Whether a calibration keeps its promise and what it saves, and how well its curves route, on recorded outcomes.
//!
//! `resample DATA STAGE [CACHE] [TIMES]`: DATA is a folder with `eval_routellm_mmlu.jsonl.gz` and
//! `eval_routellm_gsm8k.jsonl.gz` (rows of `prompt`, `weak`, `strong`, `contaminated`), STAGE `network` or `linear`.
//! Scores are kept in the folder CACHE, where one is named. Each figure is of TIMES (200) seeded resamplings.
//!
//! Labels are drawn from a set with replacement, so that each is an independent one. Curves on a vector remember a little
//! of what they were fitted on, so what comes of them is told over the rows that were not drawn. Of GSM8K few are left:
//! their own chance would make a promise look broken that was kept. Whether it is kept is therefore told over the whole
//! set, less what the drawn rows flatter it on average; the plain figure stands in brackets.

use std::error::Error;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use serde::Deserialize;
use waypost::chat::{Role, Text};
use waypost::classify::{Classifier, ModelSource, Prompt, Settings, Stage};
use waypost::quality::judge::{self, mean};
use waypost::quality::seed::Seeded;
use waypost::quality::{self, Curve, Labelled, Outcome, Promise, Terms};

const SETS: [&str; 2] = ["mmlu", "gsm8k"];
const COUNTS: [usize; 3] = [100, 400, 800];
const PROMISE: Promise = Promise { at_least: 0.95, confidence: 0.9 };
/// Labels and sets of the routing figures, and the resamplings they are means of.
const ROUTING: [(&str, usize); 3] = [("mmlu", 300), ("gsm8k", 300), ("mmlu", 1500)];
const ROUTING_TIMES: usize = 40;
/// Steps in which the best possible threshold is sought.
const STEPS: usize = 500;

type Failure = Box<dyn Error + Send + Sync>;

#[derive(Deserialize)]
struct Written {
    prompt: String,
    weak: f64,
    strong: f64,
    contaminated: bool,
}

/// One prompt: score, vector, outcomes.
struct Row {
    difficulty: f64,
    vector: Option<Vec<f32>>,
    weak: f64,
    strong: f64,
}

/// What one calibration came to.
#[derive(Clone, Copy)]
struct Trial {
    /// Quality over that of the strong model; of the rows that were drawn as well.
    quality: f64,
    flattered: f64,
    /// Share kept off the strong model, and with the best possible threshold.
    kept: f64,
    attainable: f64,
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (data, stage, more) = match arguments.as_slice() {
        [data, stage, more @ ..] if more.len() < 3 => (PathBuf::from(data), stage.as_str(), more),
        _ => return Err("usage: resample DATA network|linear [CACHE] [TIMES]".into()),
    };
    let model = match stage {
        "network" => ModelSource::Embedded,
        "linear" => ModelSource::Linear,
        _ => return Err("STAGE is `network` or `linear`".into()),
    };
    let cache = more.first().map(PathBuf::from);
    let times = more.get(1).map_or(Ok(200), |times| times.parse())?;
    let classifier = Classifier::load(&Settings::alone(model))?;
    println!("{} ({})", classifier.name(), classifier.stage().as_str());
    let mut sets = Vec::new();
    for name in SETS {
        sets.push((name, rows(&classifier, &data, name, cache.as_deref())?));
    }
    for (name, count) in ROUTING {
        let rows = sets.iter().find(|(set, _)| *set == name).map_or(&[][..], |(_, rows)| rows);
        routing(name, rows, count)?;
    }
    for count in COUNTS {
        for (name, rows) in &sets {
            promise(name, rows, count, times)?;
        }
    }
    Ok(())
}

fn rows(classifier: &Classifier, data: &Path, name: &str, cache: Option<&Path>) -> Result<Vec<Row>, Failure> {
    let path = data.join(format!("eval_routellm_{name}.jsonl.gz"));
    let file = std::fs::File::open(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text)?;
    let mut written = Vec::new();
    for line in text.lines() {
        let row: Written = serde_json::from_str(line)?;
        if !row.contaminated {
            written.push(row);
        }
    }
    let hash = classifier.model_hash(classifier.stage()).map_or("", |hash| hash).replace(':', "-");
    let cache = cache.map(|folder| folder.join(format!("{name}-{hash}.f32")));
    let width = if classifier.stage() == Stage::Network { 385 } else { 1 };
    let held = cache.as_ref().and_then(|path| std::fs::read(path).ok());
    let numbers: Vec<f32> = match held {
        Some(bytes) => bytes.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect(),
        None => {
            let mut numbers = Vec::new();
            for row in &written {
                let texts = [Text { role: Role::User, text: row.prompt.clone() }];
                let verdict = classifier.score_blocking(&Prompt { texts: &texts, tools: 0, images: 0 })?;
                numbers.push(verdict.difficulty);
                numbers.extend(verdict.embedding.iter().flat_map(|vector| vector.iter()));
            }
            if let Some(path) = &cache {
                let mut file = std::fs::File::create(path)?;
                file.write_all(&numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>())?;
            }
            numbers
        }
    };
    if numbers.len() != width * written.len() {
        return Err(
            format!("{} scores of {} rows: another width, or an old cache", numbers.len(), written.len()).into()
        );
    }
    let row = |(numbers, written): (&[f32], &Written)| {
        let (first, vector) = numbers.split_first()?;
        let vector = (!vector.is_empty()).then(|| vector.to_vec());
        Some(Row { difficulty: f64::from(*first), vector, weak: written.weak, strong: written.strong })
    };
    Ok(numbers.chunks(width).zip(&written).filter_map(row).collect())
}

/// The curves of weak and strong that so many drawn rows give, τ, and which rows were drawn.
fn calibrate(rows: &[Row], drawn: &[usize], promises: Vec<Promise>, seed: u64) -> Result<([Curve; 2], f64), Failure> {
    let labelled: Vec<Labelled> = drawn
        .iter()
        .map(|&place| {
            let row = &rows[place];
            let outcome = |candidate, good| Outcome { candidate, good, cost: None };
            let outcomes = vec![outcome(0, row.weak), outcome(1, row.strong)];
            Labelled { difficulty: row.difficulty, vector: row.vector.clone(), outcomes }
        })
        .collect();
    let routed = if promises.is_empty() { Vec::new() } else { vec![0, 1] };
    let weighed = quality::calibrate(&labelled, &Terms { costs: vec![1.0, 10.0], routed, promises, seed })?;
    let tau = weighed.thresholds.first().map_or(0.0, |(_, threshold)| threshold.found.tau);
    let curve = |place: usize| weighed.curves.get(place)?.as_ref().map(|(curve, ..)| curve.clone());
    Ok(([curve(0).ok_or("no curve")?, curve(1).ok_or("no curve")?], tau))
}

/// How far the weak model's chance lies below the strong one's, by row.
fn gaps(rows: &[Row], [weak, strong]: &[Curve; 2]) -> Vec<f64> {
    let p = |curve: &Curve, row: &Row| curve.p_good(row.difficulty, row.vector.as_deref());
    rows.iter().map(|row| p(strong, row) - p(weak, row)).collect()
}

fn trial(rows: &[Row], count: usize, seed: u64) -> Result<Trial, Failure> {
    let mut seeded = Seeded::new(seed);
    let drawn: Vec<usize> = (0..count).map(|_| seeded.below(rows.len())).collect();
    let (curves, tau) = calibrate(rows, &drawn, vec![PROMISE], seed)?;
    let gaps = gaps(rows, &curves);
    let mut seen = vec![false; rows.len()];
    drawn.iter().for_each(|&place| seen[place] = true);
    let of = |rows: &mut dyn Iterator<Item = (&Row, f64)>, tau: f64| {
        let (mut chosen, mut best, mut kept, mut counted) = (0.0, 0.0, 0.0, 0.0);
        for (row, gap) in rows {
            let weak = gap <= tau + 1e-9;
            chosen += if weak { row.weak } else { row.strong };
            best += row.strong;
            kept += f64::from(u8::from(weak));
            counted += 1.0;
        }
        (chosen / best, kept / counted)
    };
    let pairs = || rows.iter().zip(gaps.iter().copied());
    let unseen: Vec<(&Row, f64)> = pairs().zip(&seen).filter(|(_, seen)| !**seen).map(|(pair, _)| pair).collect();
    let truth = |tau: f64| of(&mut unseen.iter().copied(), tau);
    let mut sorted: Vec<f64> = unseen.iter().map(|(_, gap)| *gap).collect();
    sorted.sort_by(f64::total_cmp);
    let mut steps = (0..=STEPS).map(|step| judge::quantile(&sorted, step as f64 / STEPS as f64));
    let most = steps.rfind(|tau| truth(*tau).0 >= PROMISE.at_least);
    let (quality, kept) = truth(tau);
    let flattered = of(&mut pairs(), tau).0;
    Ok(Trial { quality, flattered, kept, attainable: most.map_or(0.0, |tau| truth(tau).1) })
}

fn promise(name: &str, rows: &[Row], count: usize, times: usize) -> Result<(), Failure> {
    let trials = side_by_side(times, |time| trial(rows, count, 1_000_000 * count as u64 + time as u64))?;
    let of = |what: fn(&Trial) -> f64| mean(&trials.iter().map(what).collect::<Vec<_>>());
    let flattery = of(|trial| trial.flattered) - of(|trial| trial.quality);
    let kept = |what: &dyn Fn(&Trial) -> f64| {
        let kept: Vec<f64> =
            trials.iter().map(|trial| f64::from(u8::from(what(trial) >= PROMISE.at_least - 1e-9))).collect();
        100.0 * mean(&kept)
    };
    let (saved, attainable) = (of(|trial| trial.kept), of(|trial| trial.attainable));
    println!(
        "{name}, {count} labels: promise kept {:.1} % ({:.1} % over rows not drawn), saving {:.1} % of the attainable ({:.1} of {:.1} % of calls); mean \
         quality {:.4}, rows drawn included {:.4}",
        kept(&|trial| trial.flattered - flattery),
        kept(&|trial| trial.quality),
        100.0 * saved / attainable,
        100.0 * saved,
        100.0 * attainable,
        of(|trial| trial.quality),
        of(|trial| trial.flattered)
    );
    Ok(())
}

/// APGR of the curves' difference on the rows that were not drawn, here without replacement.
fn routing(name: &str, rows: &[Row], count: usize) -> Result<(), Failure> {
    let apgrs = side_by_side(ROUTING_TIMES, |time| {
        let mut order: Vec<usize> = (0..rows.len()).collect();
        Seeded::new(time as u64).shuffle(&mut order);
        let (drawn, rest) = order.split_at(count.min(order.len()));
        let (curves, _) = calibrate(rows, drawn, Vec::new(), time as u64)?;
        let gaps = gaps(rows, &curves);
        let of = |what: &dyn Fn(usize) -> f64| rest.iter().map(|&place| what(place)).collect::<Vec<f64>>();
        let (weak, strong) = (of(&|place| rows[place].weak), of(&|place| rows[place].strong));
        let by = |score: &dyn Fn(usize) -> f64| judge::routing(&of(score), &weak, &strong).apgr;
        Ok((by(&|place| gaps[place]), by(&|place| rows[place].difficulty)))
    })?;
    let of = |what: fn(&(f64, f64)) -> f64| apgrs.iter().map(what).collect::<Vec<_>>();
    let (after, before) = (of(|pair| pair.0), of(|pair| pair.1));
    let spread = mean(&after.iter().map(|apgr| (apgr - mean(&after)).powi(2)).collect::<Vec<_>>()).sqrt();
    println!(
        "{name}, {count} labels, the rest as test: APGR {:.4} (spread {spread:.4}), before {:.4}",
        mean(&after),
        mean(&before)
    );
    Ok(())
}

/// Runs trials on two threads; results in the order of the trials.
fn side_by_side<T: Send>(times: usize, one: impl Fn(usize) -> Result<T, Failure> + Sync) -> Result<Vec<T>, Failure> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let time = next.fetch_add(1, Relaxed);
            if time >= times {
                return Ok::<_, Failure>(done);
            }
            done.push((time, one(time)?));
        }
    };
    let mut all = std::thread::scope(|scope| {
        let other = scope.spawn(work);
        let mut mine = work()?;
        mine.extend(other.join().map_err(|_| "a trial panicked")??);
        Ok::<_, Failure>(mine)
    })?;
    all.sort_by_key(|(time, _)| *time);
    Ok(all.into_iter().map(|(_, result)| result).collect())
}

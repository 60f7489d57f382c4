use super::seed::Seeded;
use super::*;

/// A world in which a cheap and a dear model are known exactly.
struct World {
    /// Chance of a good answer at a difficulty: cheap, dear.
    cheap: fn(f64) -> f64,
    dear: fn(f64) -> f64,
}

impl World {
    fn draw(&self, count: usize, seeded: &mut Seeded) -> Vec<Labelled> {
        let mut labelled = Vec::with_capacity(count);
        for _ in 0..count {
            let difficulty = seeded.share();
            // What one model cannot do is mostly what the other cannot do either: outcomes are paired.
            let luck = seeded.share();
            let other = if seeded.share() < 0.7 { luck } else { seeded.share() };
            let good = |p: f64, luck: f64| f64::from(u8::from(luck < p));
            let outcome = |candidate, good| Outcome { candidate, good, cost: None };
            let outcomes = vec![
                outcome(0, good((self.cheap)(difficulty), luck)),
                outcome(1, good((self.dear)(difficulty), other)),
            ];
            labelled.push(Labelled { difficulty, vector: None, outcomes });
        }
        labelled
    }

    /// True quality over that of the dear model, and the share that stays cheap, where these curves and τ decide.
    fn truth(&self, weighed: &Weighed, tau: f64) -> (f64, f64) {
        let curve = |place: usize| &weighed.curves[place].as_ref().unwrap().0;
        let (mut chosen, mut best, mut kept) = (0.0, 0.0, 0.0);
        let steps = 400;
        for step in 0..steps {
            let difficulty = (f64::from(step) + 0.5) / f64::from(steps);
            let p = vec![curve(0).p_good(difficulty, None), curve(1).p_good(difficulty, None)];
            let choice = Row { p, good: vec![0.0; 2], cost: vec![1.0, 10.0], ladder: 0 }.choose(tau);
            let quality = [(self.cheap)(difficulty), (self.dear)(difficulty)];
            chosen += quality[choice];
            best += quality[1];
            kept += f64::from(u8::from(choice == 0));
        }
        (chosen / best, kept / f64::from(steps))
    }
}

const PROMISE: Promise = Promise { at_least: 0.95, confidence: 0.9 };

fn terms(seed: u64) -> Terms {
    Terms { costs: vec![1.0, 10.0], routed: vec![0, 1], promises: vec![PROMISE], seed }
}

/// Cheap fails on what is hard, dear on less of it: what the public data look like.
const USUAL: World = World { cheap: |d| 0.95 - 0.6 * d, dear: |d| 0.97 - 0.35 * d };
/// The cheap one is as good, but for a cliff.
const CLIFF: World = World { cheap: |d| if d < 0.6 { 0.9 } else { 0.2 }, dear: |_| 0.9 };
/// Rare failures only: where a plain t bound is too hopeful.
const RARE: World = World { cheap: |d| 0.99 - 0.2 * d, dear: |_| 1.0 };

#[test]
fn the_promise_is_kept_in_nine_of_ten_resamplings() {
    for (name, world) in [("usual", USUAL), ("cliff", CLIFF), ("rare", RARE)] {
        for count in [100, 400] {
            let mut kept_promises = 0;
            for resampling in 0..200 {
                let labelled = world.draw(count, &mut Seeded::new(1000 * resampling + count as u64));
                let weighed = calibrate(&labelled, &terms(resampling)).unwrap();
                let tau = weighed.thresholds[0].1.found.tau;
                let (quality, _) = world.truth(&weighed, tau);
                kept_promises += u32::from(quality >= PROMISE.at_least - 1e-9);
            }
            assert!(kept_promises >= 174, "{name}, {count} labels: {kept_promises} of 200 keep the promise");
        }
    }
}

#[test]
fn most_of_the_saving_is_found_with_800_labels() {
    for (name, world) in [("usual", USUAL), ("cliff", CLIFF), ("rare", RARE)] {
        let (mut found, mut attainable) = (0.0, 0.0);
        for resampling in 0..10 {
            let labelled = world.draw(800, &mut Seeded::new(77 + resampling));
            let weighed = calibrate(&labelled, &terms(resampling)).unwrap();
            found += world.truth(&weighed, weighed.thresholds[0].1.found.tau).1;
            let keeps = |tau: &f64| world.truth(&weighed, *tau).0 >= PROMISE.at_least;
            let most = (0..200).map(|step| f64::from(step) / 200.0).take_while(keeps).last();
            attainable += most.map_or(0.0, |tau| world.truth(&weighed, tau).1);
        }
        assert!(found / attainable >= 0.8, "{name}: {:.3} of the attainable", found / attainable);
    }
}

#[test]
fn fewer_than_fifty_labels_are_refused() {
    let labelled = USUAL.draw(49, &mut Seeded::new(1));
    assert_eq!(calibrate(&labelled, &terms(0)).unwrap_err(), TooFew(49));
    let labelled = USUAL.draw(50, &mut Seeded::new(1));
    assert_eq!(calibrate(&labelled, &terms(0)).unwrap().paired, 50);
}

#[test]
fn outcomes_that_are_not_of_the_same_prompts_give_curves_and_no_threshold() {
    let mut labelled = USUAL.draw(200, &mut Seeded::new(2));
    for (place, prompt) in labelled.iter_mut().enumerate() {
        prompt.outcomes.retain(|outcome| outcome.candidate == place % 2);
    }
    let weighed = calibrate(&labelled, &terms(0)).unwrap();
    assert!(weighed.curves.iter().all(Option::is_some));
    assert_eq!((weighed.paired, weighed.thresholds.len()), (0, 0));
}

#[test]
fn the_same_data_and_seed_give_the_same_calibration() {
    let labelled = USUAL.draw(300, &mut Seeded::new(3));
    let one = calibrate(&labelled, &terms(5)).unwrap();
    let other = calibrate(&labelled, &terms(5)).unwrap();
    assert_eq!(format!("{one:?}"), format!("{other:?}"));
}

#[test]
fn a_cheap_model_that_is_always_worse_is_never_chosen() {
    let hopeless = World { cheap: |_| 0.1, dear: |_| 0.95 };
    let weighed = calibrate(&hopeless.draw(400, &mut Seeded::new(4)), &terms(0)).unwrap();
    let found = weighed.thresholds[0].1.found;
    // A few prompts may be given away: the promise is about the mean, and 5 % of quality may go.
    assert!(found.kept < 0.06, "{found:?}");
    let equal = World { cheap: |_| 0.9, dear: |_| 0.9 };
    let weighed = calibrate(&equal.draw(800, &mut Seeded::new(4)), &terms(0)).unwrap();
    let found = weighed.thresholds[0].1.found;
    assert!(found.kept > 0.9 || found.cost < 0.2, "an equal one takes all: {found:?}");
}

#[test]
fn a_kink_is_followed_by_the_rising_curve_once_there_are_enough_labels() {
    let few = CLIFF.draw(400, &mut Seeded::new(9));
    assert_eq!(calibrate(&few, &terms(0)).unwrap().curves[0].as_ref().unwrap().0.method(), Method::Platt);
    let many = CLIFF.draw(3000, &mut Seeded::new(9));
    let weighed = calibrate(&many, &terms(0)).unwrap();
    let (curve, labels, _) = weighed.curves[0].as_ref().unwrap();
    assert_eq!((curve.method(), *labels), (Method::Isotonic, 3000));
    assert!((curve.p_good(0.3, None) - 0.9).abs() < 0.05 && (curve.p_good(0.9, None) - 0.2).abs() < 0.05);
    assert!(curve.p_good(f64::NAN, None) < 0.3, "no number is the hardest");
}

#[test]
fn a_vector_that_says_more_than_the_score_is_used_where_it_is_there() {
    let mut seeded = Seeded::new(11);
    let mut labelled = Vec::new();
    for _ in 0..600 {
        let vector: Vec<f32> = (0..16).map(|_| (seeded.share() - 0.5) as f32).collect();
        let p = logistic::logistic(6.0 * f64::from(vector[0]));
        let good = f64::from(u8::from(seeded.share() < p));
        let outcomes =
            vec![Outcome { candidate: 0, good, cost: None }, Outcome { candidate: 1, good: 1.0, cost: None }];
        labelled.push(Labelled { difficulty: seeded.share(), vector: Some(vector), outcomes });
    }
    let weighed = calibrate(&labelled, &terms(0)).unwrap();
    let curve = &weighed.curves[0].as_ref().unwrap().0;
    assert_eq!(curve.method(), Method::Ridge);
    let mut easy = [0.0; 16];
    easy[0] = 0.5;
    assert!(curve.p_good(0.5, Some(&easy)) > 0.8 && curve.p_good(0.5, None) < 0.65, "without it the line stands in");
}

fn calibration() -> Calibration {
    let labelled = USUAL.draw(300, &mut Seeded::new(8));
    let weighed = calibrate(&labelled, &terms(0)).unwrap();
    let (curve, labels, mean) = weighed.curves[0].clone().unwrap();
    let target = |effort: Option<&str>| TargetCurve {
        target: "own@p".to_owned(),
        effort: effort.map(str::to_owned),
        routed: false,
        output: None,
        labels,
        mean,
        method: curve.method(),
        curve: curve.clone(),
    };
    let floor = |at_least: f64, tau: f64| Floor {
        at_least,
        confidence: 0.9,
        tau,
        quality: 0.97,
        lower: 0.951,
        saving: None,
        kept: 0.4,
    };
    Calibration {
        schema: 1,
        made: "2026-01-01T00:00:00Z".to_owned(),
        data: Fitted { hash: "sha256:d".to_owned(), prompts: 300, paired: 300 },
        classifier: Scorer { hash: "sha256:c".to_owned(), stage: "linear".to_owned() },
        floors: vec![floor(0.9, 0.2), floor(0.95, 0.1)],
        targets: vec![target(Some("high")), target(None)],
        buckets: weighed.buckets,
        linear: None,
    }
}

fn scorer(hash: &str, stage: &str) -> Scorer {
    Scorer { hash: hash.to_owned(), stage: stage.to_owned() }
}

/// By the network's scores, with the linear head's inside.
fn two_stages() -> Calibration {
    let linear = calibration();
    Calibration { classifier: scorer("sha256:n", "network"), linear: Some(Box::new(linear)), ..calibration() }
}

#[test]
fn a_calibration_of_two_stages_holds_for_both_and_for_a_linear_head_alone() {
    let both = Calibration::parse(&serde_json::to_string(&two_stages()).unwrap()).unwrap();
    let stages: Vec<&str> = both.stages().map(|part| part.classifier.stage.as_str()).collect();
    assert_eq!(stages, ["network", "linear"]);
    let (network, linear) = (scorer("sha256:n", "network"), scorer("sha256:c", "linear"));
    assert!(both.belongs_to(&[network.clone(), linear.clone()]).is_ok());
    assert!(both.belongs_to(std::slice::from_ref(&linear)).is_ok(), "the same head without the network");
    for running in [
        vec![scorer("sha256:other", "network"), linear.clone()],
        vec![network.clone(), scorer("sha256:other", "linear")],
        Vec::new(),
    ] {
        assert!(both.belongs_to(&running).is_err(), "{running:?}");
    }
    assert!(calibration().belongs_to(&[network, linear]).is_err(), "it says nothing of the network's scores");
}

#[test]
fn only_the_linear_heads_calibration_can_be_inside_another() {
    let parse = |calibration: &Calibration| Calibration::parse(&serde_json::to_string(calibration).unwrap());
    let in_itself = Calibration { linear: Some(Box::new(calibration())), ..calibration() };
    let networks = Calibration { linear: Some(Box::new(Calibration { linear: None, ..two_stages() })), ..two_stages() };
    let deep = Calibration { linear: Some(Box::new(in_itself.clone())), ..two_stages() };
    for wrong in [in_itself, networks, deep] {
        assert!(matches!(parse(&wrong), Err(CalibrationError::Nested)));
    }
    let mut tampered = two_stages();
    tampered.linear.as_mut().unwrap().floors[0].tau = 7.0;
    assert!(matches!(parse(&tampered), Err(CalibrationError::Range(_))));
}

#[test]
fn thresholds_are_for_the_efforts_they_were_found_with() {
    let mut calibration = calibration();
    let routed = |calibration: &Calibration| {
        let efforts = calibration.targets.iter().filter(|curve| calibration.is_routed(curve));
        efforts.map(|curve| curve.effort.clone()).collect::<Vec<_>>()
    };
    assert_eq!(routed(&calibration), [None], "where none is marked, the target's own effort alone");
    calibration.targets[0].routed = true;
    assert_eq!(routed(&calibration), [Some("high".to_owned())]);
    calibration.targets[1].routed = true;
    assert_eq!(routed(&calibration).len(), 2);
    let text = serde_json::to_string(&calibration).unwrap();
    assert_eq!(routed(&Calibration::parse(&text).unwrap()).len(), 2);
}

#[test]
fn a_calibration_survives_its_file() {
    let calibration = calibration();
    let text = serde_json::to_string_pretty(&calibration).unwrap();
    let read = Calibration::parse(&text).unwrap();
    assert_eq!(
        (&read.classifier, &read.floors, &read.data),
        (&calibration.classifier, &calibration.floors, &calibration.data)
    );
    let p = |calibration: &Calibration| calibration.curve("own@p").unwrap().curve.p_good(0.3, None);
    assert!((p(&read) - p(&calibration)).abs() < 1e-12);
    assert!(calibration.belongs_to(&[scorer("sha256:c", "linear")]).is_ok());
    let error = calibration.belongs_to(&[scorer("sha256:other", "linear")]).unwrap_err().to_string();
    assert!(error.contains("sha256:c") && error.contains("sha256:other"), "{error}");
}

#[test]
fn a_file_that_was_tampered_with_is_refused() {
    let text = serde_json::to_string(&calibration()).unwrap();
    for (from, to) in [
        ("\"schema\":1", "\"schema\":2"),
        ("\"tau\":0.1", "\"tau\":7.0"),
        ("\"made\"", "\"mode\""),
        ("\"effort\":\"high\"", "\"effort\":null"),
    ] {
        assert!(text.contains(from));
        assert!(Calibration::parse(&text.replace(from, to)).is_err(), "{to}");
    }
}

#[test]
fn a_threshold_serves_every_floor_that_it_keeps() {
    let calibration = calibration();
    assert_eq!(calibration.tau(0.95, 0.9), Some(0.1));
    assert_eq!(calibration.tau(f64::from(0.95_f32), f64::from(0.9_f32)), Some(0.1));
    assert_eq!(calibration.tau(0.9, 0.8), Some(0.2));
    assert_eq!(calibration.tau(0.92, 0.9), Some(0.1), "what keeps 0.95 keeps 0.92");
    assert_eq!(calibration.tau(0.99, 0.9), None);
    assert_eq!(calibration.tau(0.9, 0.99), None, "nothing is as sure");
    assert_eq!(calibration.curve("own@p").unwrap().effort, None);
    assert!(calibration.curve("other@p").is_none());
}

#[test]
fn the_nearest_bucket_is_found() {
    let calibration = calibration();
    assert_eq!(calibration.buckets.iter().map(|bucket| bucket.labels).sum::<usize>(), 300);
    for difficulty in [-1.0, 0.0, 0.31, 0.999, 2.0] {
        let bucket = calibration.bucket(difficulty).unwrap();
        assert!(bucket.labels >= 25);
        assert!(bucket.from <= difficulty.max(0.05) && bucket.to >= difficulty.min(0.95) - 0.1);
    }
}

//! What a decision costs beside decoding the request: rules (`policy::constrain`) and choice (`route::choose`) over 50
//! targets at 3 efforts each under 30 rules, against decoding a chat request of 4 KiB into its neutral messages, and
//! against the scan that checks it alone.
//!
//! `make bench-decide`; benches/gateway/README.md says how to read it. Criterion's figures first; then ratios, for which
//! both sides are timed in turn, in short rounds, so that a busy machine is busy for both. A ratio is the median of the
//! rounds, with the tenth and the ninetieth of a hundred beside it.

mod bodies;
mod setting;

/// As in the command itself: both sides allocate.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::Criterion;
use waypost::chat::Format;
use waypost::gateway::{Gateway, Timed};
use waypost::wire::{ask, openai};

use setting::{Asker, Curves};

/// Rounds that ratios are taken over, and how long each side runs in one.
const ROUNDS: usize = 3000;
const ROUND: Duration = Duration::from_micros(100);

fn main() -> Result<(), Box<dyn Error>> {
    let mut criterion = Criterion::default().configure_from_args();
    let folder = tempfile::tempdir()?;
    let gateways = [Curves::Lines, Curves::Steps, Curves::Vectors]
        .into_iter()
        .map(|curves| Ok((curves, setting::gateway(folder.path(), curves)?)))
        .collect::<Result<Vec<_>, Box<dyn Error>>>()?;
    for (name, body) in bodies::all() {
        decoding(&mut criterion, name, &body);
    }
    for (curves, gateway) in &gateways {
        deciding(&mut criterion, *curves, gateway)?;
    }
    criterion.final_summary();
    ratios(&gateways)
}

fn decoding(criterion: &mut Criterion, name: &str, body: &Bytes) {
    let mut group = criterion.benchmark_group(format!("4 KiB, {name}"));
    group.bench_function("scan", |bencher| bencher.iter(|| scan(body)));
    group.bench_function("decode", |bencher| bencher.iter(|| decode(body)));
    group.finish();
}

fn deciding(criterion: &mut Criterion, curves: Curves, gateway: &Gateway) -> Result<(), Box<dyn Error>> {
    let request = ask::judge(Format::Chat, bodies::conversation())?;
    for asker in Asker::ALL {
        let mut timed = setting::timed(gateway, &request, asker)?;
        let mut group = criterion.benchmark_group(format!("30 rules, {}, {}", asker.name(), curves.name()));
        group.bench_function("constrain", |bencher| bencher.iter(|| timed.constrain()));
        group.bench_function("constrain and choose", |bencher| bencher.iter(|| timed.choose()));
        group.bench_function("with names, labels and record", |bencher| bencher.iter(|| timed.decide()));
        group.finish();
    }
    Ok(())
}

/// What every request has: its body is checked, and what it is judged by is read.
fn scan(body: &Bytes) -> bool {
    ask::judge(Format::Chat, body.clone()).is_ok()
}

/// What a request has on its way to a target that speaks another format: all that was said is read as well, message by
/// message, into neutral words. What it takes to write these in another format is not counted.
fn decode(body: &Bytes) -> bool {
    let request = ask::judge(Format::Chat, body.clone());
    request
        .is_ok_and(|request| openai::request::decode(&request).is_ok_and(|said| !black_box(said).messages.is_empty()))
}

fn ratios(gateways: &[(Curves, Gateway)]) -> Result<(), Box<dyn Error>> {
    let request = ask::judge(Format::Chat, bodies::conversation())?;
    println!("\n{:<44}{:>24}{:>24}", "constrain + choose, as a share of", "decoding", "the scan alone");
    for (curves, gateway) in gateways {
        for asker in Asker::ALL {
            let mut timed = setting::timed(gateway, &request, asker)?;
            println!("{}: {}", curves.name(), outcome(&mut timed)?);
            for (name, body) in bodies::all() {
                let decoding = ratio(|| timed.choose().is_some(), || decode(&body));
                let scanning = ratio(|| timed.choose().is_some(), || scan(&body));
                println!("  {name:<42}{:>24}{:>24}", decoding.to_string(), scanning.to_string());
            }
        }
    }
    Ok(())
}

/// What was decided, so that nobody times a refusal.
fn outcome(timed: &mut Timed<'_>) -> Result<String, Box<dyn Error>> {
    let allowed = timed.constrain();
    let plan = timed.choose().ok_or("nothing was chosen")?;
    Ok(format!(
        "{} candidates, {allowed} of 50 targets allowed, {} by {}",
        plan.candidates.len(),
        plan.reason.as_str(),
        plan.basis.as_str()
    ))
}

struct Ratio {
    low: f64,
    median: f64,
    high: f64,
}

impl std::fmt::Display for Ratio {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.2} ({:.2} to {:.2})", self.median, self.low, self.high)
    }
}

/// Time of one side over that of the other.
fn ratio(mut one: impl FnMut() -> bool, mut other: impl FnMut() -> bool) -> Ratio {
    let mut ratios: Vec<f64> = (0..ROUNDS).map(|_| each(&mut one) / each(&mut other)).collect();
    ratios.sort_by(f64::total_cmp);
    let at = |tenths: usize| ratios.get(ratios.len() * tenths / 10).copied().unwrap_or(f64::NAN);
    Ratio { low: at(1), median: at(5), high: at(9) }
}

/// Seconds for one call.
fn each(call: &mut impl FnMut() -> bool) -> f64 {
    let begun = Instant::now();
    let mut calls = 0_u32;
    while begun.elapsed() < ROUND {
        for _ in 0..8 {
            black_box(call());
        }
        calls += 8;
    }
    begun.elapsed().as_secs_f64() / f64::from(calls)
}

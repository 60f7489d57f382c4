//! What a decision costs beside decoding the request: rules (`policy::constrain`) and choice (`route::choose`) over 50
//! targets at 3 efforts each under 30 rules, against the scan that checks and reads a chat request of 4 KiB.
//!
//! `make bench-decide`. Criterion's figures first; then ratios, for which both sides are timed in turn, in
//! short rounds, so that a busy machine is busy for both. A ratio is the median of the rounds, with the tenth and the
//! ninetieth of a hundred beside it.

mod bodies;
mod setting;

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::Criterion;
use waypost::chat::Format;
use waypost::gateway::{Gateway, Timed};
use waypost::wire::Shape;
use waypost::wire::ask::{self, Asking};

use setting::Curves;

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
    let shape = gateways.first().map(|(_, gateway)| setting::other_format(gateway)).transpose()?;
    let shape = shape.ok_or("there is no target")?;
    for (name, body) in bodies::all() {
        decoding(&mut criterion, name, &body, &shape);
    }
    for (curves, gateway) in &gateways {
        deciding(&mut criterion, *curves, gateway)?;
    }
    criterion.final_summary();
    ratios(&gateways, &shape)
}

fn decoding(criterion: &mut Criterion, name: &str, body: &Bytes, shape: &Shape<'_>) {
    let mut group = criterion.benchmark_group(format!("4 KiB, {name}"));
    group.bench_function("decode", |bencher| bencher.iter(|| judge(body)));
    group.bench_function("decode whole", |bencher| bencher.iter(|| whole(body, shape)));
    group.finish();
}

fn deciding(criterion: &mut Criterion, curves: Curves, gateway: &Gateway) -> Result<(), Box<dyn Error>> {
    let request = ask::judge(Format::Chat, bodies::conversation())?;
    let mut timed = setting::timed(gateway, &request)?;
    let mut group = criterion.benchmark_group(format!("50 targets, 3 efforts, 30 rules, {}", curves.name()));
    group.bench_function("constrain", |bencher| bencher.iter(|| timed.constrain()));
    group.bench_function("constrain and choose", |bencher| bencher.iter(|| timed.choose()));
    group.bench_function("with names, labels and record", |bencher| bencher.iter(|| timed.decide()));
    group.finish();
    Ok(())
}

fn judge(body: &Bytes) -> bool {
    ask::judge(Format::Chat, body.clone()).is_ok()
}

/// As for a target that speaks another format: all that was said is read, and written anew.
fn whole(body: &Bytes, shape: &Shape<'_>) -> usize {
    let Ok(request) = ask::judge(Format::Chat, body.clone()) else { return 0 };
    Asking::new(&request).body(shape).map_or(0, |encoded| encoded.body.len())
}

fn ratios(gateways: &[(Curves, Gateway)], shape: &Shape<'_>) -> Result<(), Box<dyn Error>> {
    let request = ask::judge(Format::Chat, bodies::conversation())?;
    println!("\n{:<44}{:>24}{:>26}", "constrain + choose, as a share of", "decoding", "decoding and translating");
    for (curves, gateway) in gateways {
        let mut timed = setting::timed(gateway, &request)?;
        println!("{}:  {}", curves.name(), outcome(&mut timed)?);
        for (name, body) in bodies::all() {
            let decoding = ratio(|| timed.choose().is_some(), || judge(&body));
            let translating = ratio(|| timed.choose().is_some(), || whole(&body, shape) > 0);
            println!("  {name:<42}{:>24}{:>26}", decoding.to_string(), translating.to_string());
        }
        let allocated = allocation_counter::measure(|| drop(black_box(timed.choose())));
        let rules = allocation_counter::measure(|| {
            black_box(timed.constrain());
        });
        println!("  allocations: {} in all, {} of them for rules", allocated.count_total, rules.count_total);
    }
    Ok(())
}

/// What was decided, so that nobody times a refusal.
fn outcome(timed: &mut Timed<'_>) -> Result<String, Box<dyn Error>> {
    let allowed = timed.constrain();
    let plan = timed.choose().ok_or("nothing was chosen")?;
    Ok(format!(
        "{} candidates, {allowed} of 50 targets allowed, {} to try, {} by {}",
        plan.candidates.len(),
        plan.order.len(),
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

//! What detection costs for a body, beside decoding it (the scan that every request has) and a bare search for one byte.
//!
//! `cargo bench --bench detect`. Prose and code of 4 KiB each as chat bodies, and the same with a value in every line.

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use waypost::chat::Format;
use waypost::config::Detection;
use waypost::detect::{Detectors, Findings};
use waypost::wire::{ask, texts};

/// Bytes of text in a body.
const SIZE: usize = 4096;

const PROSE: &str = "The committee met on Tuesday and found that, of the 14 proposals before it, only three could be paid \
                     for in 2024; the others were put off until the autumn, when new figures will be at hand.\n";
const CODE: &str = "    for (let i = 0; i < items.length; i++) {\n        total += items[i].price * 1.19; // VAT of 19 %\n    \
                    }\n    return { id: \"7c9e6679-7425-40de-944b-e07fc1f90ae7\", total: total.toFixed(2) };\n";
const DENSE: &str = "2024-03-01 12:00:01.123 INFO a.maier@firma.de paid from DE89 3704 0044 0532 0130 00, call +49 30 901820, \
                     trace 4bf92f3577b34da6a3ce929d0e0e4736, order 4539578763621486\n";

fn body(text: &str) -> Bytes {
    let text: String = text.chars().cycle().take(SIZE).collect();
    let body = serde_json::json!({ "model": "auto", "messages": [
        { "role": "system", "content": "You are a helpful assistant." }, { "role": "user", "content": text },
    ] });
    Bytes::from(body.to_string())
}

fn benches(criterion: &mut Criterion) {
    let detectors = Detectors::new(Detection::observing("data-class"));
    for (name, text) in [("prose", PROSE), ("code", CODE), ("dense", DENSE)] {
        let body = body(text);
        let mut group = criterion.benchmark_group("4 KiB chat body");
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_with_input(BenchmarkId::new("memchr", name), &body, |bencher, body| {
            bencher.iter(|| memchr::memchr_iter(b'@', body).count());
        });
        group.bench_with_input(BenchmarkId::new("decode", name), &body, |bencher, body| {
            bencher.iter(|| ask::judge(Format::Chat, body.clone()).is_ok());
        });
        let Ok(request) = ask::judge(Format::Chat, body) else { return };
        group.bench_with_input(BenchmarkId::new("detect", name), &request, |bencher, request| {
            bencher.iter(|| {
                let mut findings = Findings::default();
                texts::each(request, &mut |key, text| detectors.look(text, key, &mut findings));
                findings
            });
        });
        group.finish();
    }
}

criterion_group!(all, benches);
criterion_main!(all);

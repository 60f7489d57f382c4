//! What series are kept in: tables by place, names by place, and the registering of families.

use std::collections::HashMap;
use std::sync::OnceLock;

use prometheus::{CounterVec, Histogram, HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry};

use super::OTHER;

/// A table of series, each made at its first use.
pub(super) struct Table<T> {
    columns: usize,
    cells: Box<[OnceLock<T>]>,
}

impl<T> Table<T> {
    pub(super) fn new(rows: usize, columns: usize) -> Self {
        Self { columns, cells: (0..rows * columns).map(|_| OnceLock::new()).collect() }
    }

    pub(super) fn get(&self, row: usize, column: usize, make: impl FnOnce() -> T) -> &T {
        self.cells[row * self.columns + column].get_or_init(make)
    }
}

/// Names and their places; the last place stands for all others.
pub(super) struct Names(HashMap<String, usize>, Vec<String>);

impl Names {
    pub(super) fn new(names: impl IntoIterator<Item = String>) -> Self {
        let mut list: Vec<String> = names.into_iter().filter(|name| name != OTHER).collect();
        list.sort();
        list.dedup();
        list.push(OTHER.to_owned());
        Self(list.iter().cloned().enumerate().map(|(place, name)| (name, place)).collect(), list)
    }

    pub(super) fn place(&self, name: &str) -> usize {
        self.0.get(name).copied().unwrap_or(self.1.len() - 1)
    }

    pub(super) fn name(&self, place: usize) -> &str {
        &self.1[place]
    }

    pub(super) fn len(&self) -> usize {
        self.1.len()
    }
}

/// Registers one family after another; a clash of names would be a mistake in `metrics.rs`, found by any test.
pub(super) struct Registrar<'a>(pub(super) &'a Registry);

impl Registrar<'_> {
    #[expect(
        clippy::expect_used,
        reason = "names are constants of `metrics.rs`; every test that starts a gateway covers them"
    )]
    pub(super) fn add<C: prometheus::core::Collector + Clone + 'static>(&self, made: prometheus::Result<C>) -> C {
        let collector = made.expect("a valid metric");
        self.0.register(Box::new(collector.clone())).expect("a metric name used once");
        collector
    }

    pub(super) fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.add(IntCounterVec::new(Opts::new(name, help), labels))
    }

    pub(super) fn amounts(&self, name: &str, help: &str, labels: &[&str]) -> CounterVec {
        self.add(CounterVec::new(Opts::new(name, help), labels))
    }

    pub(super) fn histograms(&self, name: &str, help: &str, labels: &[&str], buckets: &[f64]) -> HistogramVec {
        self.add(HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets.to_vec()), labels))
    }

    pub(super) fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Histogram {
        self.add(Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec())))
    }

    /// Memory, CPU time and open files of the process. The collector belongs to the default registry's family names, so
    /// two instances in one process report the same figures.
    #[cfg(target_os = "linux")]
    pub(super) fn add_process(&self) {
        let collector = prometheus::process_collector::ProcessCollector::for_self();
        if let Err(error) = self.0.register(Box::new(collector)) {
            tracing::warn!(%error, "process metrics are not available");
        }
    }
}

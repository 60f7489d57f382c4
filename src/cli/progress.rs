//! A bar that shows how far a long command is, on a terminal only.

use std::fs::File;
use std::io::Read;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Counts up to a total on standard error; silent where that is no terminal.
pub(super) struct Progress(ProgressBar);

impl Progress {
    pub(super) fn new(what: &str, total: usize) -> Self {
        // `stderr` draws nothing where it is not a terminal.
        let bar = ProgressBar::with_draw_target(Some(total as u64), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{msg} {bar:40} {pos}/{len} {eta}") {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        Self(bar)
    }

    pub(super) fn step(&self) {
        self.0.inc(1);
    }

    /// A file of so many bytes that moves the bar as it is read.
    pub(super) fn reading(what: &str, file: File, bytes: u64) -> (Self, impl Read + use<>) {
        let bar = ProgressBar::new(bytes).with_message(what.to_owned());
        if let Ok(style) = ProgressStyle::with_template("{msg:>8} {wide_bar} {percent:>3} % {eta}") {
            bar.set_style(style);
        }
        let read = bar.wrap_read(file);
        (Self(bar), read)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

//! How often something is found in prompts that hold nothing.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::{ByDetector, lines, say, table};
use crate::config::Detector;
use crate::detect;

/// What one file of prompts says.
#[derive(Debug)]
pub(super) struct Report {
    file: String,
    prompts: usize,
    /// Prompts in which something was found.
    disturbed: usize,
    /// By detector, prompts in which it found something.
    by_detector: ByDetector<usize>,
}

/// Looks through every prompt of a file; of a conversation with a second turn, through both.
pub(super) fn measure(file: &Path, show: bool) -> Result<Report, String> {
    let (text, _) = lines::read(file)?;
    let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
    let mut report = Report { file: name, prompts: 0, disturbed: 0, by_detector: Default::default() };
    for (number, line) in lines::numbered(&text) {
        let row: Value = serde_json::from_str(line).map_err(|error| format!("{}:{number}: {error}", file.display()))?;
        let Some(prompt) = row.get("prompt").and_then(Value::as_str) else {
            return Err(format!("{}:{number}: there is no text `prompt`", file.display()));
        };
        let second = row.get("turn2").and_then(Value::as_str).unwrap_or_default();
        let mut here: ByDetector<bool> = Default::default();
        for text in [prompt, second] {
            detect::find(text, "", &mut |detector, range| {
                if let Some(here) = here.get_mut(detector.place()) {
                    *here = true;
                }
                if show {
                    let value = text.get(range).unwrap_or_default();
                    say(format_args!("{}:{number}: {} {value:?}", report.file, detector.as_str()));
                }
            });
        }
        report.prompts += 1;
        report.disturbed += usize::from(here.contains(&true));
        for (count, here) in report.by_detector.iter_mut().zip(here) {
            *count += usize::from(here);
        }
    }
    Ok(report)
}

impl Report {
    #[expect(clippy::cast_precision_loss, reason = "counts of lines stay far below 2^53")]
    fn rate(&self) -> f64 {
        if self.prompts == 0 { 0.0 } else { self.disturbed as f64 / self.prompts as f64 }
    }

    fn named(&self) -> impl Iterator<Item = (&'static str, usize)> {
        Detector::ALL.iter().map(|detector| detector.as_str()).zip(self.by_detector).filter(|(_, count)| *count > 0)
    }

    pub(super) fn json(&self) -> Value {
        let by_detector: BTreeMap<&str, usize> = self.named().collect();
        json!({
            "file": self.file, "prompts": self.prompts, "disturbed": self.disturbed, "rate": self.rate(),
            "detectors": by_detector,
        })
    }
}

/// All files as a table.
pub(super) fn text(reports: &[Report]) -> String {
    let mut figures = table(&["prompts of", "prompts", "with a find", "rate", "by detector"]);
    for report in reports {
        let named: Vec<String> = report.named().map(|(name, count)| format!("{name} {count}")).collect();
        figures.add_row([
            report.file.clone(),
            report.prompts.to_string(),
            report.disturbed.to_string(),
            format!("{:.4} %", report.rate() * 100.0),
            if named.is_empty() { "-".to_owned() } else { named.join(", ") },
        ]);
    }
    figures.to_string().lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

//! `waypost detect`: what the detectors find in a text, and how often they are right on texts whose values are known.

mod corpus;
mod prompts;

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use serde_json::json;

use super::{fail, lines, say};
use crate::config::Detector;
use crate::detect;

/// Tries or measures detection.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A text to look through; `-` for standard input. Values are told by place, not printed.
    #[arg(required_unless_present_any = ["corpus", "prompts"], conflicts_with_all = ["corpus", "prompts"])]
    file: Option<PathBuf>,
    /// JSON lines of {"kind", "text", "values": [[detector, value], …]}: prints precision and recall by detector
    #[arg(long, value_name = "FILE", num_args = 1..)]
    corpus: Vec<PathBuf>,
    /// JSON lines with a `prompt` each, in which nothing is to be found: prints how often something is
    #[arg(long, value_name = "FILE", num_args = 1..)]
    prompts: Vec<PathBuf>,
    /// With --corpus or --prompts: print what was wrong, text included.
    #[arg(long)]
    show: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> ExitCode {
    let done = match &args.file {
        Some(file) => look(file, args.json),
        None => measure(args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => fail(message),
    }
}

fn measure(args: &Args) -> Result<(), String> {
    let corpus = match args.corpus.as_slice() {
        [] => None,
        files => Some(corpus::measure(files, args.show)?),
    };
    let prompts = args.prompts.iter().map(|file| prompts::measure(file, args.show)).collect::<Result<Vec<_>, _>>()?;
    if args.json {
        let prompts: Vec<_> = prompts.iter().map(prompts::Report::json).collect();
        say(json!({ "corpus": corpus.as_ref().map(corpus::Report::json), "prompts": prompts }));
        return Ok(());
    }
    if let Some(corpus) = &corpus {
        say(corpus.text());
    }
    if !prompts.is_empty() {
        say(prompts::text(&prompts));
    }
    Ok(())
}

/// Where in a file which detector finds something.
fn look(file: &Path, as_json: bool) -> Result<(), String> {
    let text = if file.as_os_str() == "-" {
        if std::io::stdin().is_terminal() {
            eprintln!("reading from the terminal; end with Ctrl-D");
        }
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).map_err(|error| format!("standard input cannot be read: {error}"))?;
        String::from_utf8_lossy(&bytes).into_owned()
    } else {
        lines::read(file)?.0
    };
    let mut found = Vec::new();
    detect::find(&text, "", &mut |detector, range| found.push((range.start, detector, range.len())));
    found.sort_by_key(|(start, ..)| *start);
    let mut place = Place::default();
    let places: Vec<_> = found.iter().map(|(start, ..)| place.of(&text, *start)).collect();
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for (_, detector, _) in &found {
        *counts.entry(detector.as_str()).or_default() += 1;
    }
    if as_json {
        let finds: Vec<_> = found
            .iter()
            .zip(&places)
            .map(|((_, detector, bytes), (line, column))| {
                json!({ "detector": detector.as_str(), "line": line, "column": column, "bytes": bytes })
            })
            .collect();
        say(json!({ "counts": counts, "finds": finds }));
        return Ok(());
    }
    if found.is_empty() {
        say("nothing found");
        return Ok(());
    }
    for ((_, detector, bytes), (line, column)) in found.iter().zip(&places) {
        say(format_args!("{line}:{column}: {}, {bytes} bytes", detector.as_str()));
    }
    Ok(())
}

/// Line and column, counted from 1 and in characters, of places that only go on.
struct Place {
    at: usize,
    line: usize,
    column: usize,
}

impl Default for Place {
    fn default() -> Self {
        Self { at: 0, line: 1, column: 1 }
    }
}

impl Place {
    fn of(&mut self, text: &str, at: usize) -> (usize, usize) {
        for character in text.get(self.at..at).unwrap_or_default().chars() {
            if character == '\n' {
                (self.line, self.column) = (self.line + 1, 1);
            } else {
                self.column += 1;
            }
        }
        self.at = at.max(self.at);
        (self.line, self.column)
    }
}

/// A table of figures, the first column being words.
fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(header);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// One value for each detector.
type ByDetector<T> = [T; Detector::ALL.len()];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_in_lines_and_characters() {
        let text = "äö x\nzwei x";
        let mut place = Place::default();
        assert_eq!(place.of(text, text.find('x').unwrap()), (1, 4));
        assert_eq!(place.of(text, text.rfind('x').unwrap()), (2, 6));
    }
}

//! What came of all cases: text for people, JSON and JUnit XML for programs.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::cases::Case;
use super::paint::Paint;
use super::verdict::Verdict;

/// The outcome of every case, in the order of the files.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) outcomes: Vec<Outcome>,
}

/// What came of one case.
#[derive(Debug)]
pub(super) struct Outcome {
    file: PathBuf,
    name: String,
    line: u32,
    verdict: Verdict,
}

impl Outcome {
    pub(super) fn new(file: &Path, case: &Case, verdict: Verdict) -> Self {
        Self { file: file.to_owned(), name: case.name.clone(), line: case.line, verdict }
    }
}

impl Report {
    pub(super) fn passed(&self) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.verdict == Verdict::Passed).count()
    }

    pub(super) fn failed(&self) -> usize {
        self.outcomes.len() - self.passed()
    }

    /// The outcomes by file.
    fn by_file(&self) -> impl Iterator<Item = (&Path, &[Outcome])> {
        self.outcomes
            .chunk_by(|a, b| a.file == b.file)
            .filter_map(|outcomes| Some((&*outcomes.first()?.file, outcomes)))
    }

    /// For people: what failed with what was expected, what came and why.
    pub(super) fn text(&self, paint: Paint) -> String {
        // Writing to a string cannot fail.
        let mut text = String::new();
        for (file, outcomes) in self.by_file() {
            let _ = writeln!(text, "{}", file.display());
            for outcome in outcomes {
                let _ = match &outcome.verdict {
                    Verdict::Passed => writeln!(text, "  {}    {}", paint.good("ok"), outcome.name),
                    _ => writeln!(text, "  {}  {} (line {})", paint.bad("FAIL"), outcome.name, outcome.line),
                };
                match &outcome.verdict {
                    Verdict::Passed => {}
                    Verdict::Broken(why) => {
                        let _ = writeln!(text, "        {}", paint.bad(why));
                    }
                    Verdict::Failed { differences, candidates } => {
                        for difference in differences {
                            let expected = format!("- expected {}", difference.expected);
                            let got = format!("+ got      {}", difference.got);
                            let _ = writeln!(text, "        {}", paint.good(&expected));
                            let _ = writeln!(text, "        {}", paint.bad(&got));
                        }
                        for candidate in candidates {
                            let _ = writeln!(text, "          {}", paint.quiet(candidate));
                        }
                    }
                }
            }
        }
        let (passed, failed) = (self.passed(), self.failed());
        let failed_text = format!("{failed} failed");
        let failed_text = if failed == 0 { failed_text } else { paint.bad(&failed_text) };
        let _ = writeln!(text, "\n{} cases: {passed} passed, {failed_text}", self.outcomes.len());
        text
    }

    pub(super) fn json(&self) -> Value {
        let cases: Vec<Value> = self.outcomes.iter().map(json_case).collect();
        json!({ "ok": self.failed() == 0 && self.passed() > 0, "passed": self.passed(), "failed": self.failed(), "cases": cases })
    }

    /// JUnit XML in the form that CI systems read: <https://github.com/testmoapp/junitxml>.
    pub(super) fn junit(&self) -> String {
        let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        let _ = writeln!(
            xml,
            "<testsuites name=\"waypost policy test\" tests=\"{}\" failures=\"{}\">",
            self.outcomes.len(),
            self.failed()
        );
        for (file, outcomes) in self.by_file() {
            let file = escaped(&file.display().to_string());
            let failed = outcomes.iter().filter(|outcome| outcome.verdict != Verdict::Passed).count();
            let _ = writeln!(xml, "  <testsuite name=\"{file}\" tests=\"{}\" failures=\"{failed}\">", outcomes.len());
            for outcome in outcomes {
                let (name, line) = (escaped(&outcome.name), outcome.line);
                let _ =
                    write!(xml, "    <testcase classname=\"{file}\" name=\"{name}\" file=\"{file}\" line=\"{line}\"");
                let (message, detail) = match &outcome.verdict {
                    Verdict::Passed => {
                        xml.push_str("/>\n");
                        continue;
                    }
                    Verdict::Broken(why) => (why.clone(), String::new()),
                    Verdict::Failed { differences, candidates } => {
                        let said: Vec<String> = differences
                            .iter()
                            .map(|one| format!("expected {}, got {}", one.expected, one.got))
                            .collect();
                        (said.join("; "), candidates.join("\n"))
                    }
                };
                let (message, detail) = (escaped(&message), escaped(&detail));
                let _ = writeln!(xml, ">\n      <failure message=\"{message}\">{detail}</failure>\n    </testcase>");
            }
            xml.push_str("  </testsuite>\n");
        }
        xml.push_str("</testsuites>\n");
        xml
    }
}

fn json_case(outcome: &Outcome) -> Value {
    let mut case = json!({
        "file": outcome.file,
        "line": outcome.line,
        "name": outcome.name,
        "passed": outcome.verdict == Verdict::Passed,
    });
    let more = match &outcome.verdict {
        Verdict::Passed => return case,
        Verdict::Broken(why) => vec![("error", json!(why))],
        Verdict::Failed { differences, candidates } => {
            let differences: Vec<Value> =
                differences.iter().map(|one| json!({ "expected": one.expected, "got": one.got })).collect();
            vec![("differences", json!(differences)), ("candidates", json!(candidates))]
        }
    };
    if let Some(case) = case.as_object_mut() {
        case.extend(more.into_iter().map(|(key, value)| (key.to_owned(), value)));
    }
    case
}

/// Text within XML, in an attribute too. Characters that XML 1.0 cannot hold are replaced.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            '\t' => escaped.push_str("&#9;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

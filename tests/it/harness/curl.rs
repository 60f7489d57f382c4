//! `curl`, as a user would type it; also the HTTP/2 client of the tests.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use super::http::Answer;

/// Runs curl to its end and reads what it got.
pub(crate) fn curl(arguments: &[&str]) -> Answer {
    let ran = Command::new("curl").args(["-sS", "-i", "--max-time", "20"]).args(arguments).output();
    let ran = ran.expect("curl is needed");
    assert!(ran.status.success(), "curl: {}", String::from_utf8_lossy(&ran.stderr));
    let end = ran.stdout.windows(4).position(|four| four == b"\r\n\r\n").expect("a whole head") + 4;
    let head = String::from_utf8_lossy(&ran.stdout[..end]).into_owned();
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).expect("a status line");
    let headers = lines.filter_map(|line| line.split_once(": "));
    Answer {
        status: status.parse().unwrap(),
        headers: headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect(),
        body: ran.stdout[end..].to_vec(),
        cut_off: false,
    }
}

/// A curl that is still running.
pub(crate) struct Curl {
    process: Child,
    output: BufReader<ChildStdout>,
}

impl Curl {
    pub(crate) fn begin(arguments: &[&str]) -> Self {
        let spawned = Command::new("curl").args(["-sS", "-N"]).args(arguments).stdout(Stdio::piped()).spawn();
        let mut process = spawned.expect("curl is needed");
        let output = BufReader::new(process.stdout.take().unwrap());
        Self { process, output }
    }

    /// The next line that curl prints; `None` at its end.
    pub(crate) fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.output.read_line(&mut line).unwrap();
        (read > 0).then_some(line)
    }

    /// Ends curl and with it its connection.
    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Curl {
    fn drop(&mut self) {
        // Ended before by `kill` or by itself, or now.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

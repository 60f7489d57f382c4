//! The log, line by line: plain or gzip, read once more for each pass, never whole.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use crate::cli::progress::Progress;

/// Longest line that is read, in bytes; what is longer is passed over. A prompt with a few images fits.
pub(super) const LONGEST: usize = 32 << 20;

/// One line, without its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'b> {
    Text(&'b [u8]),
    TooLong,
}

/// The lines of a file.
pub(super) struct Lines {
    from: Box<dyn BufRead>,
    buffer: Vec<u8>,
    number: u64,
    /// Goes from the terminal with this.
    _progress: Progress,
}

impl Lines {
    /// Opens the file. Progress is shown on standard error if that is a terminal.
    pub(super) fn open(path: &Path, doing: &'static str) -> io::Result<Self> {
        let file = File::open(path)?;
        let size = file.metadata()?;
        if size.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let (progress, file) = Progress::reading(doing, file, size.len());
        let mut raw = BufReader::with_capacity(256 << 10, file);
        let zipped = raw.fill_buf()?.starts_with(&[0x1f, 0x8b]);
        let from: Box<dyn BufRead> =
            if zipped { Box::new(BufReader::new(MultiGzDecoder::new(raw))) } else { Box::new(raw) };
        Ok(Self { from, buffer: Vec::new(), number: 0, _progress: progress })
    }

    /// The next line that is not blank and its number, from 1.
    pub(super) fn next(&mut self) -> io::Result<Option<(u64, Line<'_>)>> {
        loop {
            self.buffer.clear();
            let most = u64::try_from(LONGEST).unwrap_or(u64::MAX).saturating_add(1);
            let read = self.from.by_ref().take(most).read_until(b'\n', &mut self.buffer)?;
            if read == 0 {
                return Ok(None);
            }
            self.number += 1;
            if self.buffer.len() > LONGEST && self.buffer.last() != Some(&b'\n') {
                self.skip_to_end()?;
                return Ok(Some((self.number, Line::TooLong)));
            }
            if self.buffer.iter().any(|byte| !byte.is_ascii_whitespace()) {
                break;
            }
        }
        let text = self.buffer.trim_ascii();
        // Written by programs that put a byte order mark before everything.
        Ok(Some((self.number, Line::Text(text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text)))))
    }

    fn skip_to_end(&mut self) -> io::Result<()> {
        loop {
            let buffer = self.from.fill_buf()?;
            let (end, used) = match memchr::memchr(b'\n', buffer) {
                Some(at) => (true, at + 1),
                None => (buffer.is_empty(), buffer.len()),
            };
            self.from.consume(used);
            if end {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn read(path: &Path) -> Vec<(u64, String)> {
        let mut lines = Lines::open(path, "reading").unwrap();
        let mut found = Vec::new();
        while let Some((number, line)) = lines.next().unwrap() {
            found.push((
                number,
                match line {
                    Line::Text(text) => String::from_utf8_lossy(text).into_owned(),
                    Line::TooLong => "too long".to_owned(),
                },
            ));
        }
        found
    }

    #[test]
    fn gzip_is_read_as_plain_text_is_and_numbers_count_blank_lines() {
        let folder = tempfile::tempdir().unwrap();
        let text = "\u{feff}{}\r\n\n  \n[1]";
        let plain = folder.path().join("a.jsonl");
        std::fs::write(&plain, text).unwrap();
        let zipped = folder.path().join("a.jsonl.gz");
        let mut encoder = flate2::write::GzEncoder::new(File::create(&zipped).unwrap(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap();
        let expected = vec![(1, "{}".to_owned()), (4, "[1]".to_owned())];
        assert_eq!(read(&plain), expected);
        assert_eq!(read(&zipped), expected);
    }

    #[test]
    fn a_line_without_end_is_passed_over_in_bounded_memory() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("long.jsonl");
        let mut text = vec![b'x'; LONGEST + (1 << 20)];
        text.extend_from_slice(b"\n{}\n");
        std::fs::write(&path, text).unwrap();
        assert_eq!(read(&path), vec![(1, "too long".to_owned()), (2, "{}".to_owned())]);
    }
}

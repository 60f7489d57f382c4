//! Files of JSON lines, packed with gzip or not.

use std::io::Read as _;
use std::path::Path;

/// A whole file's text, and the SHA-256 of its bytes as they lie there.
pub(super) fn read(path: &Path) -> Result<(String, String), String> {
    let failed = |error: &dyn std::fmt::Display| format!("`{}` cannot be read: {error}", path.display());
    let bytes = std::fs::read(path).map_err(|error| failed(&error))?;
    let digest = ring::digest::digest(&ring::digest::SHA256, &bytes);
    let hash: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let mut text = String::new();
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut packed = flate2::read::MultiGzDecoder::new(bytes.as_slice());
        packed.read_to_string(&mut text).map_err(|error| failed(&error))?;
    } else {
        text = String::from_utf8(bytes).map_err(|error| failed(&error))?;
    }
    Ok((text, format!("sha256:{hash}")))
}

/// Lines that hold something, with their numbers from 1.
pub(super) fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(place, line)| (place + 1, line)).filter(|(_, line)| !line.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_packed_file_reads_like_a_plain_one() {
        let folder = tempfile::tempdir().unwrap();
        let (plain, packed) = (folder.path().join("a.jsonl"), folder.path().join("a.jsonl.gz"));
        std::fs::write(&plain, "{}\n\n{}\n").unwrap();
        let mut encoder =
            flate2::write::GzEncoder::new(std::fs::File::create(&packed).unwrap(), flate2::Compression::fast());
        encoder.write_all(b"{}\n\n{}\n").unwrap();
        encoder.finish().unwrap();
        let (one, other) = (read(&plain).unwrap(), read(&packed).unwrap());
        assert_eq!(one.0, other.0);
        assert_ne!(one.1, other.1, "the hash is of the file");
        assert_eq!(numbered(&one.0).map(|(number, _)| number).collect::<Vec<_>>(), [1, 3]);
        assert!(read(&folder.path().join("none")).unwrap_err().contains("none"));
    }
}

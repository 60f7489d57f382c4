//! The layout holds: imports only go down, steps do not know each other, each heavy crate has one home.
//!
//! ../src/ARCHITECTURE.md says why. These tests read the sources and fail on any breach, so the page stays true.

use std::path::{Path, PathBuf};

use crate::harness::repository;

/// Every module with its layer, the highest first: one may import only from layers below its own.
const LAYERS: [(&str, u8); 25] = [
    ("cli", 0),
    ("server", 1),
    ("gateway", 2),
    ("auth", 3),
    ("limit", 3),
    ("detect", 3),
    ("classify", 3),
    ("route", 3),
    ("quality", 3),
    ("cache", 3),
    ("upstream", 3),
    ("cost", 3),
    ("ledger", 3),
    ("policy", 4),
    ("wire", 5),
    ("config", 5),
    ("catalog", 5),
    ("store", 5),
    ("telemetry", 5),
    ("chance", 6),
    ("chat", 6),
    ("id", 6),
    ("money", 6),
    ("clock", 6),
    ("scripted", 7),
];

/// Tools may build on each other, and words on each other; nothing else in one layer may.
const SHARED_LAYERS: [u8; 2] = [5, 6];

/// Steps and tools that the gateway hands one another's plain values through are named here with the reason.
const EXCEPTIONS: [(&str, &str, &str); 2] = [
    ("cli", "scripted", "`waypost upstream` is the scripted provider, and `serve` falls back to it"),
    ("main", "cli", "the binary is its command line"),
];

/// A crate, and the only places that may name it.
const HOMES: [(&str, &[&str]); 12] = [
    ("pingora_core", &["server/", "upstream/client.rs", "upstream/client/"]),
    ("pingora_http", &["server/", "upstream/client.rs", "upstream/client/"]),
    ("redis", &["store/redis.rs", "store/redis/"]),
    ("ort", &["classify/onnx.rs", "classify/runtime.rs"]),
    ("tokenizers", &["classify/text.rs"]),
    ("governor", &["limit/"]),
    ("jsonwebtoken", &["auth/jwt.rs", "auth/jwt/"]),
    ("cel", &["policy/"]),
    ("plotters", &["cli/plot.rs"]),
    ("indicatif", &["cli/progress.rs"]),
    ("notify", &["cli/watch.rs"]),
    ("prometheus", &["telemetry/metrics.rs", "telemetry/metrics/"]),
];

/// Longest file, in lines. One that only holds tests may be longer.
const MAX_LINES: usize = 450;

/// One source file, without comments and without its inline tests.
struct Source {
    /// Below `src/`.
    path: String,
    code: String,
    lines: usize,
}

impl Source {
    /// The top module it belongs to.
    fn module(&self) -> &str {
        let first = self.path.split('/').next().unwrap();
        first.trim_end_matches(".rs")
    }

    fn is_test(&self) -> bool {
        self.path.contains("tests/") || self.path.ends_with("tests.rs")
    }
}

fn sources() -> Vec<Source> {
    let mut files = Vec::new();
    collect(&repository().join("src"), &mut files);
    assert!(files.len() > 50, "the sources were found");
    let root = repository().join("src");
    let read = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).unwrap();
        let code = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        Source {
            path: path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned(),
            code: code.lines().map(without_comment).collect::<Vec<_>>().join("\n"),
            lines: code.lines().count(),
        }
    };
    files.iter().map(read).collect()
}

fn collect(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

fn without_comment(line: &str) -> &str {
    if line.trim_start().starts_with("//") { "" } else { line }
}

/// Top modules named by `crate::…`, in `use` and elsewhere; `use crate::{a, b::c}` names two.
fn imports(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => found.extend(members(group)),
            None => found.push(identifier(rest)),
        }
    }
    found.retain(|name| LAYERS.iter().any(|(module, _)| module == name));
    found.sort();
    found.dedup();
    found
}

/// The first identifiers of a group's members, at depth zero.
fn members(group: &str) -> Vec<String> {
    let (mut depth, mut at_start, mut names) = (0, true, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => at_start = true,
            c if at_start && c.is_alphabetic() => {
                names.push(identifier(&group[at..]));
                at_start = false;
            }
            _ => {}
        }
    }
    names
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

fn layer(module: &str) -> Option<u8> {
    LAYERS.iter().find(|(name, _)| *name == module).map(|(_, layer)| *layer)
}

fn may_import(from: &str, to: &str) -> bool {
    if from == to || EXCEPTIONS.iter().any(|(one, other, _)| (*one, *other) == (from, to)) {
        return true;
    }
    let (Some(from_layer), Some(to_layer)) = (layer(from), layer(to)) else { return false };
    // Nothing but its exception may use the scripted provider: a mistake on both sides would cancel out.
    if to == "scripted" || from == "scripted" {
        return false;
    }
    from_layer < to_layer || (from_layer == to_layer && SHARED_LAYERS.contains(&from_layer))
}

#[test]
fn imports_only_go_down() {
    let mut breaches = Vec::new();
    for source in sources().iter().filter(|source| source.path != "lib.rs") {
        for import in imports(&source.code) {
            if !may_import(source.module(), &import) {
                breaches.push(format!("src/{} imports crate::{import}", source.path));
            }
        }
    }
    assert!(breaches.is_empty(), "ARCHITECTURE's order is broken:\n{}", breaches.join("\n"));
}

#[test]
fn every_module_has_a_layer() {
    for source in sources() {
        let module = source.module();
        assert!(["lib", "main"].contains(&module) || layer(module).is_some(), "{module} has no layer in this test");
    }
}

#[test]
fn each_heavy_crate_has_one_home() {
    let mut breaches = Vec::new();
    for source in sources() {
        for (name, homes) in HOMES {
            let at_home =
                homes.iter().any(|home| source.path == *home || home.ends_with('/') && source.path.starts_with(home));
            if !at_home && names_crate(&source.code, name) {
                breaches.push(format!("src/{} names {name}, whose home is {}", source.path, homes.join(", ")));
            }
        }
    }
    assert!(breaches.is_empty(), "{}", breaches.join("\n"));
}

/// Whether code names a crate: `name::` that is no path of ours and no end of a longer word.
fn names_crate(code: &str, name: &str) -> bool {
    code.match_indices(&format!("{name}::")).any(|(at, _)| {
        let before = &code[..at];
        !before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':')
            && !code.contains(&format!("mod {name};"))
    })
}

#[test]
fn the_scripted_provider_uses_nothing_of_ours() {
    for source in sources().iter().filter(|source| source.module() == "scripted" && !source.is_test()) {
        assert!(!source.code.contains("crate::"), "src/{} names crate::", source.path);
    }
}

#[test]
fn no_file_grows_beyond_what_can_be_read_in_one_go() {
    let long: Vec<String> = sources()
        .iter()
        .filter(|source| source.lines > MAX_LINES && !source.is_test())
        .map(|source| format!("src/{}: {} lines", source.path, source.lines))
        .collect();
    assert!(long.is_empty(), "cut these in two:\n{}", long.join("\n"));
}

#[test]
fn every_module_says_what_it_is_for() {
    for source in sources() {
        let text = std::fs::read_to_string(repository().join("src").join(&source.path)).unwrap();
        let says =
            text.starts_with("//!") || text.starts_with("#![doc") || source.path == "main.rs" || source.is_test();
        assert!(says, "src/{} does not begin with //!", source.path);
    }
}

#[test]
fn a_breach_is_found() {
    assert_eq!(
        imports("use crate::{chat, wire::{openai, json}};\nlet x = crate::money::NanoUsd(1);"),
        ["chat", "money", "wire"]
    );
    assert!(may_import("gateway", "cache") && may_import("wire", "config") && may_import("cli", "server"));
    assert!(!may_import("cache", "route"), "steps never import each other");
    assert!(!may_import("policy", "upstream"), "not up");
    assert!(!may_import("gateway", "scripted"));
    assert!(names_crate("let a = redis::cmd(\"x\");", "redis"));
    assert!(!names_crate("use crate::store::redis::Pool; let a = sort::of();", "redis"));
    assert!(!names_crate("let a = sort::of();", "ort"));
}

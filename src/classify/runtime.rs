//! Finds ONNX Runtime's shared library, which is not linked but loaded at start-up.

use std::path::{Path, PathBuf};

use super::ClassifyError;

/// The library to load: `explicit` (`classifier.runtime`), else `ORT_DYLIB_PATH`, else one beside the executable, in
/// the folder above it (test binaries lie one folder deeper), in `lib` next to its folder, or in `.waypost/lib` here.
pub(super) fn locate(explicit: Option<&Path>) -> Result<PathBuf, ClassifyError> {
    if let Some(path) = explicit {
        return existing(path);
    }
    if let Some(path) = std::env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty()) {
        return existing(Path::new(&path));
    }
    let mut folders = Vec::new();
    if let Ok(executable) = std::env::current_exe()
        && let Some(folder) = executable.parent()
    {
        folders.push(folder.to_path_buf());
        if let Some(above) = folder.parent() {
            folders.push(above.to_path_buf());
            folders.push(above.join("lib"));
        }
    }
    folders.push(PathBuf::from(".waypost/lib"));
    for folder in &folders {
        if let Some(found) = library_in(folder) {
            return Ok(found);
        }
    }
    let searched: Vec<_> = folders.iter().map(|folder| folder.display().to_string()).collect();
    Err(ClassifyError::RuntimeMissing { searched: searched.join(", ") })
}

fn existing(path: &Path) -> Result<PathBuf, ClassifyError> {
    if path.is_file() {
        return Ok(path.to_path_buf());
    }
    Err(ClassifyError::RuntimeMissing { searched: path.display().to_string() })
}

/// `libonnxruntime.so`, else the last by name of `libonnxruntime.so.*` (wheels carry only the name with the version).
fn library_in(folder: &Path) -> Option<PathBuf> {
    let plain = format!("{}onnxruntime{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let exact = folder.join(&plain);
    if exact.is_file() {
        return exact.canonicalize().ok();
    }
    let versioned = format!("{plain}.");
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with(&versioned))
        .collect();
    names.sort();
    folder.join(names.pop()?).canonicalize().ok()
}

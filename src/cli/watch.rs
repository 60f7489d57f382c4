//! Notices that the configuration, its policies or a file that it names has changed.
//!
//! Folders are watched, not files: an editor that saves by renaming, and Kubernetes, which swaps a link named `..data`,
//! put another file in the place of a watched one. What came is not believed but looked at: something has changed when
//! the content of the files is another than at the last look.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};

use crate::config::{self, Config};

/// Quiet time after which a change is whole: whoever writes several files needs a moment.
const QUIET: Duration = Duration::from_millis(200);
/// Longest wait for it where something stirs all the time, as a log in the same folder does.
const AT_MOST: Duration = Duration::from_secs(2);

/// Most links that are followed from one name: what the kernel allows (path_resolution(7)).
const MOST_LINKS: usize = 40;

/// Watches what a configuration is made of.
pub(super) struct Watch {
    /// The configuration file; `None` where it was discovered, and nothing is watched.
    path: Option<PathBuf>,
    parts: Parts,
    content: Digest,
    /// `None` where the system gives none.
    watcher: Option<RecommendedWatcher>,
    folders: BTreeSet<PathBuf>,
    stirred: Arc<Notify>,
}

type Digest = [u8; 32];

/// What a configuration is made of.
#[derive(Clone, Default, PartialEq, Eq)]
struct Parts {
    files: BTreeSet<PathBuf>,
    /// Every YAML file in these is a policy.
    folders: BTreeSet<PathBuf>,
}

impl Watch {
    /// Looks at what this file is made of, before it is loaded: whatever changes from now on will be noticed.
    pub(super) fn new(path: Option<&Path>) -> Self {
        let mut parts = Parts::default();
        if let Some(path) = path
            && let (Some(config), _) = config::examine(path)
        {
            parts.add(path, &config);
        }
        let content = parts.content();
        let (path, stirred) = (path.map(Path::to_owned), Arc::new(Notify::new()));
        Self { path, parts, content, watcher: None, folders: BTreeSet::new(), stirred }
    }

    /// Begins to watch. Where the system does not let it, that is logged, and changes are not noticed.
    pub(super) fn begin(&mut self) {
        if self.path.is_none() {
            return;
        }
        let stir = Arc::clone(&self.stirred);
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // Reading changes nothing; an overflow of the queue may hide anything.
            if !matches!(event, Ok(Event { kind: EventKind::Access(_), .. })) {
                stir.notify_one();
            }
        });
        match watcher {
            Ok(watcher) => self.watcher = Some(watcher),
            Err(error) => unwatched(Path::new("the configuration"), &error),
        }
        let parts = std::mem::take(&mut self.parts);
        self.watch(&parts);
        self.parts = parts;
        // What changed before is looked for once.
        self.stirred.notify_one();
    }

    /// Resolves when something has changed and been quiet for a moment. May be dropped and called again.
    pub(super) async fn changed(&mut self) {
        loop {
            self.stirred.notified().await;
            let at_most = Instant::now() + AT_MOST;
            loop {
                let until = (Instant::now() + QUIET).min(at_most);
                if timeout_at(until, self.stirred.notified()).await.is_err() {
                    break;
                }
            }
            // Files may be large, or far away.
            let parts = self.parts.clone();
            let content = spawn_blocking(move || parts.content()).await;
            if content.is_ok_and(|content| content != self.content) {
                return;
            }
        }
    }

    /// Remembers how everything looks now; before it is loaded, so that what changes meanwhile is noticed.
    pub(super) fn look(&mut self) {
        self.content = self.parts.content();
    }

    /// Goes on with the parts of the configuration that runs, and of the one that is written, if that is another one:
    /// what it lacks may come.
    pub(super) fn follow(&mut self, running: &Config) {
        let Some(path) = self.path.clone() else { return };
        let mut parts = Parts::default();
        parts.add(&path, running);
        if let (Some(written), _) = config::examine(&path) {
            parts.add(&path, &written);
        }
        // Watched anew also where the names are the same: they may lead elsewhere now.
        self.watch(&parts);
        // A part that is new may have changed since it was loaded, and nobody was watching.
        let unseen = parts != self.parts || self.parts.content() != self.content;
        self.content = if unseen { Digest::default() } else { parts.content() };
        self.parts = parts;
        if unseen {
            self.stirred.notify_one();
        }
    }

    fn watch(&mut self, parts: &Parts) {
        let Some(watcher) = &mut self.watcher else { return };
        for folder in std::mem::take(&mut self.folders) {
            // A folder that is gone is watched no longer by itself.
            let _ = watcher.unwatch(&folder);
        }
        for folder in parts.watched() {
            match watcher.watch(&folder, RecursiveMode::NonRecursive) {
                Ok(()) => drop(self.folders.insert(folder)),
                Err(error) => unwatched(&folder, &error),
            }
        }
    }
}

fn unwatched(what: &Path, error: &notify::Error) {
    let what = what.display();
    tracing::warn!(%what, %error, "changes are not noticed here; SIGHUP and POST /admin/reload load them");
}

impl Parts {
    fn add(&mut self, path: &Path, config: &Config) {
        self.files.insert(path.to_owned());
        self.files.extend(config.files.iter().cloned());
        self.folders.extend(config.policies.clone());
    }

    /// A digest of every part's name and content. One that cannot be read counts as empty.
    fn content(&self) -> Digest {
        let mut hash = ring::digest::Context::new(&ring::digest::SHA256);
        let mut part = |path: &Path| {
            let content = std::fs::read(path).unwrap_or_default();
            for bytes in [path.as_os_str().as_encoded_bytes(), &content] {
                hash.update(&(bytes.len() as u64).to_le_bytes());
                hash.update(bytes);
            }
        };
        self.files.iter().for_each(|file| part(file));
        for folder in &self.folders {
            let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
            let names: BTreeSet<PathBuf> = entries.map(|entry| entry.path()).collect();
            names.iter().filter(|name| name.extension().is_some_and(|end| end == "yaml")).for_each(|name| part(name));
        }
        let mut digest = Digest::default();
        digest.copy_from_slice(hash.finish().as_ref());
        digest
    }

    /// The folders in which a change of a part shows: where it is named, where that leads, and where a link on the way
    /// stands.
    fn watched(&self) -> BTreeSet<PathBuf> {
        let mut watched = BTreeSet::new();
        for named in self.files.iter().chain(&self.folders) {
            for path in [Some(named.clone()), named.canonicalize().ok()].into_iter().flatten() {
                let parent = path.parent().unwrap_or(Path::new("/"));
                watched.insert(if parent.as_os_str().is_empty() { PathBuf::from(".") } else { parent.to_owned() });
                if self.folders.contains(named) {
                    watched.insert(path);
                }
            }
            where_links_stand(named, &mut BTreeSet::new(), &mut watched);
        }
        watched.retain(|folder| folder.is_dir());
        watched
    }
}

/// The folders of all links that lead on from a path: its own, and those of where they lead.
fn where_links_stand(path: &Path, seen: &mut BTreeSet<PathBuf>, folders: &mut BTreeSet<PathBuf>) {
    if seen.len() > MOST_LINKS || !seen.insert(path.to_owned()) {
        return;
    }
    for link in path.ancestors().filter(|part| part.is_symlink()) {
        let (Some(folder), Ok(to)) = (link.parent(), link.read_link()) else { continue };
        folders.insert(if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_owned() });
        let rest = path.strip_prefix(link).unwrap_or(Path::new(""));
        // Without the slash at its end that an empty rest brings: with it no path is a link.
        let next: PathBuf = folder.join(to).join(rest).components().collect();
        where_links_stand(&next, seen, folders);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    const CONFIG: &str = "providers: [{ name: a, kind: llamacpp, endpoints: ['http://127.0.0.1:1'] }]\n\
                          models: [{ name: m, provider: a, price: { input: 0, output: 0 } }]\n";

    /// Fails unless a change is noticed soon.
    async fn notices(watch: &mut Watch, what: &str) {
        let noticed = tokio::time::timeout(Duration::from_secs(20), watch.changed()).await;
        assert!(noticed.is_ok(), "not noticed: {what}");
        watch.look();
    }

    fn following(path: &Path) -> Watch {
        let mut watch = Watch::new(Some(path));
        watch.begin();
        watch.follow(&config::load(path).unwrap().config);
        watch
    }

    #[tokio::test]
    async fn a_folder_behind_a_link_is_noticed_when_the_link_moves_and_then_followed() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for release in ["one", "two"] {
            std::fs::create_dir(at(release)).unwrap();
            std::fs::write(at(release).join("config.yaml"), format!("{CONFIG}# {release}\n")).unwrap();
        }
        symlink("one", at("current")).unwrap();
        let path = at("current").join("config.yaml");
        let mut watch = following(&path);
        symlink("two", at("next")).unwrap();
        std::fs::rename(at("next"), at("current")).unwrap();
        notices(&mut watch, "the moved link").await;
        watch.follow(&config::load(&path).unwrap().config);
        std::fs::write(at("two").join("config.yaml"), format!("{CONFIG}# three\n")).unwrap();
        notices(&mut watch, "a change where it leads now").await;
    }

    #[tokio::test]
    async fn a_link_behind_a_link_is_noticed_when_it_moves() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["named", "releases", "releases/one", "releases/two"] {
            std::fs::create_dir(at(name)).unwrap();
        }
        for release in ["one", "two"] {
            std::fs::write(at("releases").join(release).join("c.yaml"), format!("{CONFIG}# {release}\n")).unwrap();
        }
        symlink("one", at("releases/current")).unwrap();
        symlink(at("releases/current/c.yaml"), at("named/c.yaml")).unwrap();
        let mut watch = following(&at("named/c.yaml"));
        symlink("two", at("releases/next")).unwrap();
        std::fs::rename(at("releases/next"), at("releases/current")).unwrap();
        notices(&mut watch, "the link that the named one leads through").await;
    }

    #[tokio::test]
    async fn a_link_to_a_link_is_noticed_when_the_second_moves() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["named", "current", "releases"] {
            std::fs::create_dir(at(name)).unwrap();
        }
        for release in ["one", "two"] {
            std::fs::write(at("releases").join(release), format!("{CONFIG}# {release}\n")).unwrap();
        }
        symlink(at("releases/one"), at("current/c.yaml")).unwrap();
        symlink(at("current/c.yaml"), at("named/c.yaml")).unwrap();
        let mut watch = following(&at("named/c.yaml"));
        symlink(at("releases/two"), at("current/next")).unwrap();
        std::fs::rename(at("current/next"), at("current/c.yaml")).unwrap();
        notices(&mut watch, "the link that the named one leads to").await;
    }

    #[tokio::test]
    async fn what_changes_between_the_look_and_the_watch_is_noticed_and_what_does_not_count_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.yaml");
        std::fs::write(&path, CONFIG).unwrap();
        let mut watch = Watch::new(Some(&path));
        std::fs::write(&path, format!("{CONFIG}# changed\n")).unwrap();
        watch.begin();
        notices(&mut watch, "a change before the watch").await;

        std::fs::write(folder.path().join("decisions.jsonl"), "{}").unwrap();
        std::fs::write(&path, format!("{CONFIG}# changed\n")).unwrap();
        let quiet = tokio::time::timeout(QUIET * 4, watch.changed()).await;
        assert!(quiet.is_err(), "a log, and the same content written again");
    }
}

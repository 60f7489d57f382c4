//! The sections that stand alone: policies, classifier, cache, store, records, streams, retries, log, egress.

use std::path::PathBuf;
use std::time::Duration;

use super::Context;
use crate::config::running::{
    Cache, Classifier, ClassifierModel, Decisions, Egress, ErrorDetail, Label, LogFormat, Logging, Retry, Secret,
    Store, StoreUrl, Streaming,
};
use crate::config::values::{At, PathText, SwitchText};
use crate::config::written;

/// The folder of policies.
pub(super) fn policies(written: Option<&At<PathText>>, context: Context<'_>) -> Option<PathBuf> {
    let written = written?;
    Some(folder(written, &written.value.0, context))
}

fn folder<T>(at: &At<T>, path: &str, context: Context<'_>) -> PathBuf {
    let path = context.base.join(path);
    if let Err(error) = std::fs::read_dir(&path) {
        let message = format!("cannot read the folder {}: {error}", path.display());
        context.error(at.place, message, "check the path; it is relative to this file");
    }
    path
}

/// What scores prompts.
pub(super) fn classifier(written: &written::Classifier, context: Context<'_>) -> Classifier {
    let model = match &written.model {
        None => ClassifierModel::Embedded,
        Some(at) => match at.value.as_str() {
            "embedded" => ClassifierModel::Embedded,
            "linear" => ClassifierModel::Linear,
            // YAML 1.1 reads a bare `off` as false, and some editors write it so.
            "off" | "false" => ClassifierModel::Off,
            path => ClassifierModel::Folder(folder(at, path, context)),
        },
    };
    let runtime = written
        .runtime
        .as_ref()
        .filter(|at| at.value != "auto")
        .map(|at| context.readable(&At { value: PathText(at.value.clone()), place: at.place }));
    Classifier {
        model,
        runtime,
        deadline: context.wait(written.deadline.as_ref(), Duration::from_millis(20)),
        threads: context.count(written.threads.as_ref(), 1) as usize,
        queue: context.count(written.queue.as_ref(), 64) as usize,
        max_tokens: context.count(written.max_tokens.as_ref(), 512) as usize,
    }
}

/// The cache of whole answers.
pub(super) fn cache(written: &written::Cache, labels: &[Label], context: Context<'_>) -> Cache {
    let data_class = labels.iter().find(|label| label.name == "data-class");
    let values = data_class.map(|label| label.kind.values()).unwrap_or_default();
    let max_data_class = match &written.max_data_class {
        Some(at) => {
            context.known(at, "value of label `data-class`", values.iter().map(String::as_str));
            Some(at.value.clone())
        }
        None => values.iter().find(|value| *value == "internal").or(values.first()).cloned(),
    };
    Cache {
        exact: written.exact.as_ref().is_some_and(|at| switch(at, context)),
        ttl: context.wait(written.ttl.as_ref(), Duration::from_hours(1)),
        max: context.size(written.max.as_ref(), 256 << 20),
        sampled: written.sampled.as_ref().is_some_and(|at| at.value),
        max_data_class,
    }
}

fn switch(written: &At<SwitchText>, context: Context<'_>) -> bool {
    match written.value.0.as_str() {
        "on" | "true" => true,
        "off" | "false" => false,
        other => {
            context.error(written.place, format!("`{other}` is neither on nor off"), "write `on` or `off`");
            false
        }
    }
}

/// What replicas share.
pub(super) fn store(written: &written::Store, context: Context<'_>) -> Store {
    let deadline = context.wait(written.deadline.as_ref(), Duration::from_millis(50));
    let Some(at) = &written.url else {
        return Store { url: StoreUrl::Local, deadline };
    };
    let secret = context.secret(at);
    let url = match secret.expose() {
        "local" => StoreUrl::Local,
        text => {
            let parsed = url::Url::parse(text).ok();
            let fine = parsed.is_some_and(|url| matches!(url.scheme(), "redis" | "rediss") && url.has_host());
            if !fine {
                // The address may hold a password, so it is not shown.
                context.error(
                    at.place,
                    "this is not the address of a store",
                    "write `local`, `redis://host:6379` or `rediss://user:password@host:6379`",
                );
            }
            StoreUrl::Redis(Secret::new(text.to_owned()))
        }
    };
    Store { url, deadline }
}

/// Records of decisions.
pub(super) fn decisions(written: &written::Decisions, context: Context<'_>) -> Decisions {
    let file = written.file.as_ref().map(|at| {
        let path = context.path(at);
        if path.parent().is_some_and(|folder| !folder.as_os_str().is_empty() && !folder.is_dir()) {
            let message = format!("there is no folder for {}", path.display());
            context.error(at.place, message, "make the folder, or change the path; it is relative to this file");
        }
        path
    });
    Decisions { keep: written.keep.as_ref().map_or(10_000, |at| at.value) as usize, file }
}

/// Streams before content.
pub(super) fn streaming(written: &written::Streaming, context: Context<'_>) -> Streaming {
    Streaming {
        commit_after: context.wait(written.commit_after.as_ref(), Duration::from_secs(15)),
        ping: context.wait(written.ping.as_ref(), Duration::from_secs(15)),
    }
}

/// Retries at one target.
pub(super) fn retry(written: &written::Retry, context: Context<'_>) -> Retry {
    let budget = written.budget.as_ref().map_or(0.2, |at| {
        if !(0.0..=1.0).contains(&at.value) {
            context.error(at.place, "a share lies between 0 and 1", "write `0.2` for one retry in five requests");
        }
        at.value
    });
    Retry { attempts: context.count(written.attempts.as_ref(), 2), budget }
}

/// The process's own log.
pub(super) fn logging(written: &written::Logging) -> Logging {
    Logging { format: written.format.as_ref().map_or(LogFormat::Auto, |at| at.value) }
}

/// Label combinations per metric.
pub(super) fn max_series(written: &written::Metrics, context: Context<'_>) -> usize {
    context.count(written.max_series.as_ref(), 5000) as usize
}

/// Connections to the outside.
pub(super) fn egress(written: &written::Egress, context: Context<'_>) -> Egress {
    Egress { ca: written.ca.as_ref().map(|at| context.readable(at)) }
}

/// What refusals tell the client.
pub(super) fn error_detail(written: &written::Errors) -> ErrorDetail {
    written.detail.as_ref().map_or(ErrorDetail::Rules, |at| at.value)
}

//! The page as one HTML file: no script, nothing from elsewhere, every text escaped.

use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};

use super::page::Page;

const TEMPLATE: &str = include_str!("page.html");

/// The template and the page do not fit: a mistake in this program.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(super) struct HtmlError(#[from] minijinja::Error);

pub(super) fn render(page: &Page) -> Result<String, HtmlError> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    // The ending of the name switches escaping on.
    Ok(environment.render_named_str("page.html", TEMPLATE, Serde(page))?)
}

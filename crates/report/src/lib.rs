//! The report of a backup as one page that a person can read and print.
//!
//! [`html`] takes the document that lies under `reports/<operationId>.json` (its shape is told in
//! `docs/report.schema.json`) and answers with one file: no script, nothing that is fetched, the verdict first.
//!
//! | module | |
//! | --- | --- |
//! | `document` | what the page needs of the report, read strictly where silence would be taken for good news |
//! | `page`, `findings`, `sections` | what is shown, in which words; `templates/report.html` is how |
//! | [`words`] | durations, counts and times as people write them |
//!
//! Two things keep a hostile name a name: askama escapes whatever the template shows, and [`words::visible`] spells out
//! every character that could reorder or hide what stands next to it.

mod document;
mod findings;
mod page;
mod sections;
pub mod words;

use askama::Template as _;
use serde_json::Value;

use crate::page::Page;

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A member is missing, or is not what this version knows.
    #[error("the report cannot be read at {place}: {cause}")]
    Unreadable {
        /// Path of the member.
        place: String,
        /// What is wrong with it.
        cause: String,
    },
    /// The verdict is not the one its checks amount to: printing either would be a lie.
    #[error("the report says {said}, and its checks amount to {follows}")]
    Contradiction {
        /// What is said.
        said: &'static str,
        /// What follows from the checks.
        follows: &'static str,
    },
    /// The page could not be put together.
    #[error("the page could not be written: {0}")]
    Template(#[from] askama::Error),
}

/// The page of a report.
///
/// # Errors
/// When the report has another shape than `docs/report.schema.json` says, or contradicts itself.
pub fn html(report: &Value) -> Result<String, Error> {
    let report = document::read(report)?;
    let page = Page::of(&report).render()?;
    Ok(words::visible(&page))
}

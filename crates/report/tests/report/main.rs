//! The report: its schema, its page, and the page in a real browser.

mod browser;
mod chromium;
mod page;
mod samples;
mod schema;

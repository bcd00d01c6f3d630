//! Contracts: workflows, templates, error pages, samples and code say the same.

mod papers;
mod permissions;
mod support;
mod templates;
mod workflows;

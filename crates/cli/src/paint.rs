//! Colours, few and only where somebody can see them.

use std::io::IsTerminal;

fn is_refused() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// Whether and how to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paint {
    on: bool,
}

impl Paint {
    /// No colours: files, pipes, tests.
    pub const PLAIN: Paint = Paint { on: false };
    /// Colours, whatever the output is.
    pub const COLOUR: Paint = Paint { on: true };

    /// Colours when standard output is a terminal and `NO_COLOR` is not set.
    pub fn for_stdout() -> Self {
        Paint { on: std::io::stdout().is_terminal() && !is_refused() }
    }

    /// The same of standard error.
    pub fn for_stderr() -> Self {
        Paint { on: std::io::stderr().is_terminal() && !is_refused() }
    }

    /// Good news.
    pub fn good(self, text: &str) -> String {
        self.wrap("32", text)
    }

    /// Bad news.
    pub fn bad(self, text: &str) -> String {
        self.wrap("31", text)
    }

    /// News that needs a look.
    pub fn warn(self, text: &str) -> String {
        self.wrap("33", text)
    }

    /// A heading.
    pub fn bold(self, text: &str) -> String {
        self.wrap("1", text)
    }

    /// What is there for completeness.
    pub fn dim(self, text: &str) -> String {
        self.wrap("2", text)
    }

    fn wrap(self, code: &str, text: &str) -> String {
        if self.on { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

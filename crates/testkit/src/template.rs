//! The SAM templates' local paths into S3 addresses, as `sam build` and `sam package` do it.
//!
//! Works on the text, line by line: what is deployed locally differs from the templates in these lines only.

use std::collections::BTreeMap;

use crate::{Error, Result};

/// A template's text, and where it stands: its paths are relative to its own folder.
#[derive(Debug, Clone, Copy)]
pub struct Template<'a> {
    /// Its folder, from the project's root; empty for the root itself.
    pub folder: &'a str,
    /// What is in it.
    pub text: &'a str,
}

/// What a template wants packed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Binaries of functions (`Metadata: BuildProperties: Binary:`).
    pub binaries: Vec<String>,
    /// Local files of state machines (`DefinitionUri:`), from the project's root.
    pub definitions: Vec<String>,
}

impl Template<'_> {
    /// Finds what has to be packed.
    ///
    /// # Errors
    /// When a function's code is the workspace, but it does not say which binary it is.
    pub fn wanted(&self) -> Result<Wanted> {
        let mut wanted = Wanted::default();
        for block in blocks(self.text) {
            for line in &block.lines {
                if self.is_code(line) {
                    wanted.binaries.push(block.binary()?);
                } else if let Some(path) = self.definition(line) {
                    wanted.definitions.push(path);
                }
            }
        }
        Ok(wanted)
    }

    /// The text with `CodeUri` of the workspace and local `DefinitionUri` replaced by S3 addresses.
    ///
    /// # Errors
    /// When something has no address.
    pub fn rewrite(
        &self,
        code: &BTreeMap<String, String>,
        definitions: &BTreeMap<String, String>,
    ) -> Result<String> {
        let mut text = String::with_capacity(self.text.len());
        for block in blocks(self.text) {
            for line in &block.lines {
                let indent = &line[..line.len() - line.trim_start().len()];
                let replaced = if self.is_code(line) {
                    let binary = block.binary()?;
                    let address =
                        code.get(&binary).ok_or_else(|| Error::new(format!("{binary} was not packed")))?;
                    format!("{indent}CodeUri: {address}")
                } else if let Some(path) = self.definition(line) {
                    let address = definitions
                        .get(&path)
                        .ok_or_else(|| Error::new(format!("{path} was not uploaded")))?;
                    format!("{indent}DefinitionUri: {address}")
                } else {
                    (*line).to_owned()
                };
                text.push_str(&replaced);
                text.push('\n');
            }
        }
        Ok(text)
    }

    fn is_code(&self, line: &str) -> bool {
        value(line, "CodeUri").and_then(|path| self.path_from_root(path)).is_some_and(|path| path.is_empty())
    }

    fn definition(&self, line: &str) -> Option<String> {
        let path = value(line, "DefinitionUri").filter(|path| !path.starts_with("s3:"))?;
        self.path_from_root(path)
    }

    /// A path of the template as seen from the project's root; none for what is outside of it.
    fn path_from_root(&self, path: &str) -> Option<String> {
        if path.is_empty() {
            return None;
        }
        let mut parts = Vec::new();
        for part in self.folder.split('/').chain(path.split('/')) {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop()?;
                }
                name => parts.push(name),
            }
        }
        Some(parts.join("/"))
    }
}

/// Lines that belong together: from one key at the indentation of a resource to the next.
struct Block<'a> {
    lines: Vec<&'a str>,
}

impl Block<'_> {
    fn binary(&self) -> Result<String> {
        self.lines.iter().find_map(|line| value(line, "Binary")).map(str::to_owned).ok_or_else(|| {
            Error::new(format!(
                "{} has the workspace as CodeUri but no BuildProperties Binary",
                self.lines[0].trim()
            ))
        })
    }
}

fn blocks(template: &str) -> Vec<Block<'_>> {
    let mut blocks: Vec<Block<'_>> = Vec::new();
    for line in template.lines() {
        let indent = line.len() - line.trim_start().len();
        let starts = indent <= 2 && !line.trim().is_empty() && !line.trim_start().starts_with('#');
        match blocks.last_mut() {
            Some(block) if !starts => block.lines.push(line),
            _ => blocks.push(Block { lines: vec![line] }),
        }
    }
    blocks
}

fn value<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let rest = line.trim_start().strip_prefix(key)?.strip_prefix(':')?;
    let bare = rest.split_once(" #").map_or(rest, |(bare, _)| bare);
    Some(bare.trim().trim_matches(['"', '\'']))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = "\
Globals:
  Function:
    Runtime: provided.al2023

Resources:
  # The first.
  AlphaFunction:
    Type: AWS::Serverless::Function
    Metadata:
      BuildMethod: rust-cargolambda
      BuildProperties:
        Binary: alpha
    Properties:
      CodeUri: .   # the workspace
  BetaFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: \".\"
    Metadata:
      BuildProperties: 
        Binary: beta
  Machine:
    Type: AWS::Serverless::StateMachine
    Properties:
      DefinitionUri: stepfunctions/one.asl.json
";

    const AT_THE_ROOT: Template<'_> = Template { folder: "", text: TEMPLATE };

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn each_function_is_known_by_its_own_binary() {
        let found = AT_THE_ROOT.wanted().unwrap();
        assert_eq!(found.binaries, ["alpha", "beta"]);
        assert_eq!(found.definitions, ["stepfunctions/one.asl.json"]);
    }

    #[test]
    fn only_the_paths_change() {
        let code = map(&[("alpha", "s3://b/alpha.zip"), ("beta", "s3://b/beta.zip")]);
        let definitions = map(&[("stepfunctions/one.asl.json", "s3://b/one.json")]);
        let rewritten = AT_THE_ROOT.rewrite(&code, &definitions).unwrap();
        let changed: Vec<_> = TEMPLATE
            .lines()
            .zip(rewritten.lines())
            .filter(|(old, new)| old != new)
            .map(|(_, new)| new)
            .collect();
        assert_eq!(
            changed,
            [
                "      CodeUri: s3://b/alpha.zip",
                "      CodeUri: s3://b/beta.zip",
                "      DefinitionUri: s3://b/one.json"
            ]
        );
        assert_eq!(TEMPLATE.lines().count(), rewritten.lines().count());
        assert_eq!(Template { text: &rewritten, ..AT_THE_ROOT }.wanted().unwrap(), Wanted::default());
    }

    #[test]
    fn paths_are_relative_to_the_templates_own_folder() {
        let text = TEMPLATE
            .replace("CodeUri: .", "CodeUri: ..")
            .replace("CodeUri: \".\"", "CodeUri: ../")
            .replace("stepfunctions/", "../stepfunctions/");
        let below = Template { folder: "infra", text: &text };
        assert_eq!(below.wanted().unwrap(), AT_THE_ROOT.wanted().unwrap());
        let outside = Template { text: &text, ..AT_THE_ROOT };
        assert_eq!(outside.wanted().unwrap(), Wanted::default());
    }

    #[test]
    fn a_function_without_a_binary_is_named() {
        let text = "Resources:\n  GammaFunction:\n    Properties:\n      CodeUri: .\n";
        let error = Template { folder: "", text }.wanted().unwrap_err();
        assert!(error.to_string().contains("GammaFunction"), "{error}");
    }

    #[test]
    fn what_was_not_packed_is_an_error() {
        assert!(
            AT_THE_ROOT
                .rewrite(&BTreeMap::new(), &BTreeMap::new())
                .unwrap_err()
                .to_string()
                .contains("alpha")
        );
    }
}

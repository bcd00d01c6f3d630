//! The SAM template's local paths into S3 addresses, as `sam build` and `sam package` do it.
//!
//! Works on the text, line by line: what is deployed locally differs from `template.yaml` in these lines only.

use std::collections::BTreeMap;

use crate::{Error, Result};

/// What a template wants packed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Binaries of functions (`Metadata: BuildProperties: Binary:`).
    pub binaries: Vec<String>,
    /// Local files of state machines (`DefinitionUri:`).
    pub definitions: Vec<String>,
}

/// Finds what has to be packed.
///
/// # Errors
/// When a function has `CodeUri: .` but does not say which binary it is.
pub fn wanted(template: &str) -> Result<Wanted> {
    let mut wanted = Wanted::default();
    for block in blocks(template) {
        for line in &block.lines {
            if is_code(line) {
                wanted.binaries.push(block.binary()?);
            } else if let Some(path) = definition(line) {
                wanted.definitions.push(path.to_owned());
            }
        }
    }
    Ok(wanted)
}

/// The template with `CodeUri: .` and local `DefinitionUri` replaced by S3 addresses.
///
/// # Errors
/// When something has no address.
pub fn rewrite(
    template: &str,
    code: &BTreeMap<String, String>,
    definitions: &BTreeMap<String, String>,
) -> Result<String> {
    let mut text = String::with_capacity(template.len());
    for block in blocks(template) {
        for line in &block.lines {
            let indent = &line[..line.len() - line.trim_start().len()];
            let replaced = if is_code(line) {
                let binary = block.binary()?;
                let address =
                    code.get(&binary).ok_or_else(|| Error::new(format!("{binary} was not packed")))?;
                format!("{indent}CodeUri: {address}")
            } else if let Some(path) = definition(line) {
                let address =
                    definitions.get(path).ok_or_else(|| Error::new(format!("{path} was not uploaded")))?;
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

/// Lines that belong together: from one key at the indentation of a resource to the next.
struct Block<'a> {
    lines: Vec<&'a str>,
}

impl Block<'_> {
    fn binary(&self) -> Result<String> {
        self.lines.iter().find_map(|line| value(line, "Binary")).map(str::to_owned).ok_or_else(|| {
            Error::new(format!("{} has CodeUri: . but no BuildProperties Binary", self.lines[0].trim()))
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

fn is_code(line: &str) -> bool {
    matches!(value(line, "CodeUri"), Some("." | "./"))
}

fn definition(line: &str) -> Option<&str> {
    value(line, "DefinitionUri").filter(|path| !path.is_empty() && !path.starts_with("s3:"))
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

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn each_function_is_known_by_its_own_binary() {
        let found = wanted(TEMPLATE).unwrap();
        assert_eq!(found.binaries, ["alpha", "beta"]);
        assert_eq!(found.definitions, ["stepfunctions/one.asl.json"]);
    }

    #[test]
    fn only_the_paths_change() {
        let code = map(&[("alpha", "s3://b/alpha.zip"), ("beta", "s3://b/beta.zip")]);
        let definitions = map(&[("stepfunctions/one.asl.json", "s3://b/one.json")]);
        let rewritten = rewrite(TEMPLATE, &code, &definitions).unwrap();
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
        assert_eq!(wanted(&rewritten).unwrap(), Wanted::default());
    }

    #[test]
    fn a_function_without_a_binary_is_named() {
        let error = wanted("Resources:\n  GammaFunction:\n    Properties:\n      CodeUri: .\n").unwrap_err();
        assert!(error.to_string().contains("GammaFunction"), "{error}");
    }

    #[test]
    fn what_was_not_packed_is_an_error() {
        assert!(
            rewrite(TEMPLATE, &BTreeMap::new(), &BTreeMap::new()).unwrap_err().to_string().contains("alpha")
        );
    }
}

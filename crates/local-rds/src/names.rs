//! Names: identifiers as RDS accepts them, ARNs, random ids.

use std::fmt;
use std::fs::File;
use std::io::Read as _;

use crate::error::RdsError;

/// Lower-cases an identifier and refuses what RDS refuses.
pub(crate) fn identifier(parameter: &str, text: &str, longest: usize) -> Result<String, RdsError> {
    let valid = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.len() <= longest
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && !text.ends_with('-')
        && !text.contains("--");
    if valid {
        return Ok(text.to_ascii_lowercase());
    }
    Err(RdsError::invalid_value(format!(
        "The parameter {parameter} is not a valid identifier. Identifiers must begin with a letter; must contain \
         only ASCII letters, digits, and hyphens; and must not end with a hyphen or contain two consecutive hyphens."
    )))
}

/// The longest snapshot identifier and parameter group name.
pub(crate) const LONG: usize = 255;
/// The longest instance identifier.
pub(crate) const SHORT: usize = 63;

/// What kind of resource an ARN names: the word in its sixth place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Instance,
    Snapshot,
    ParameterGroup,
    SubnetGroup,
    OptionGroup,
    AutomatedBackup,
}

impl Kind {
    const ALL: [Self; 6] = [
        Self::Instance,
        Self::Snapshot,
        Self::ParameterGroup,
        Self::SubnetGroup,
        Self::OptionGroup,
        Self::AutomatedBackup,
    ];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Instance => "db",
            Self::Snapshot => "snapshot",
            Self::ParameterGroup => "pg",
            Self::SubnetGroup => "subgrp",
            Self::OptionGroup => "og",
            Self::AutomatedBackup => "auto-backup",
        }
    }
}

/// An RDS ARN.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Arn {
    pub(crate) region: String,
    pub(crate) account: String,
    pub(crate) kind: Kind,
    pub(crate) id: String,
}

impl Arn {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(7, ':');
        let (arn, _partition, service) = (parts.next()?, parts.next()?, parts.next()?);
        let (region, account, word, id) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let kind = Kind::ALL.into_iter().find(|kind| kind.word() == word)?;
        (arn == "arn" && service == "rds").then(|| Self {
            region: region.to_owned(),
            account: account.to_owned(),
            kind,
            id: id.to_owned(),
        })
    }
}

impl Arn {
    /// The ARN of one of RDS's certificates: they belong to no account.
    pub(crate) fn certificate(region: &str, id: &str) -> String {
        format!("arn:aws:rds:{region}::cert:{id}")
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "arn:aws:rds:{}:{}:{}:{}", self.region, self.account, self.kind.word(), self.id)
    }
}

/// Bytes that cannot be guessed.
pub(crate) fn random_hex(bytes: usize) -> std::io::Result<String> {
    let mut buffer = vec![0; bytes];
    File::open("/dev/urandom")?.read_exact(&mut buffer)?;
    Ok(hex::encode(buffer))
}

/// A request id as AWS writes them. Not a secret: the time stands in when there is no randomness.
pub(crate) fn request_id() -> String {
    let hex = random_hex(16).unwrap_or_else(|_| format!("{:032x}", jiff::Timestamp::now().as_nanosecond()));
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..32])
}

/// `db-` and 26 capitals and digits.
pub(crate) fn resource_id() -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let id = request_id();
    let digits = id.bytes().filter(|byte| *byte != b'-').cycle().skip(3);
    let text: String = digits
        .zip(id.bytes().cycle())
        .take(26)
        .map(|(one, two)| ALPHABET[usize::from(one.wrapping_mul(7).wrapping_add(two)) % 32] as char)
        .collect();
    format!("db-{text}")
}

/// `*` for any text and `?` for one character, as IAM and this crate's faults use them.
pub(crate) fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                retry = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match retry {
                Some((star, from)) => {
                    retry = Some((star, from + 1));
                    p = star + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_held_to_the_rules() {
        assert_eq!(identifier("X", "Prod-DB-1", SHORT).unwrap(), "prod-db-1");
        for bad in ["", "1a", "a--b", "a-", "a_b", "rds:a", &"a".repeat(64)] {
            assert_eq!(identifier("X", bad, SHORT).unwrap_err().code, "InvalidParameterValue", "{bad}");
        }
    }

    #[test]
    fn arns_come_back_as_they_went() {
        let text = "arn:aws:rds:us-east-1:000000000000:snapshot:rds:auto-1";
        assert_eq!(Arn::parse(text).unwrap().to_string(), text);
        assert_eq!(Arn::parse("arn:aws:s3:::bucket"), None);
    }

    #[test]
    fn globs_match_as_in_iam() {
        for (pattern, text) in
            [("*", ""), ("a*c", "abbc"), ("a?c", "abc"), ("*-*-x", "a-b-c-x"), ("a**", "a")]
        {
            assert!(glob(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("", "a"), ("a?c", "ac"), ("a*c", "abd"), ("A*", "abc")] {
            assert!(!glob(pattern, text), "{pattern} {text}");
        }
    }
}

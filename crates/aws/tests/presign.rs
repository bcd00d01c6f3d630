//! The hand-made `PreSignedUrl` against the one that botocore makes for the same request, byte for byte.

// Tests may unwrap: a panic is the failure.
#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use holdfast_aws::presign::{copy_snapshot_url, source_endpoint};
use holdfast_core::ids::Region;
use holdfast_core::ports::NewCopy;
use serde_json::{Value, json};

/// 2026-11-20T06:07:08Z.
const NOW: u64 = 1_795_154_828;
const NOW_TEXT: &str = "2026-11-20T06:07:08";

/// One request.
struct Case {
    copy: NewCopy,
    session_token: Option<&'static str>,
    /// Where RDS is, when not at its public endpoint.
    endpoint: Option<&'static str>,
}

impl Case {
    fn new(tags: &[(&str, &str)]) -> Self {
        let copy = NewCopy {
            id: "holdfast-prod-db-20261120t060000z-3f9a1c2b7d".into(),
            to: Region::parse("us-west-2").unwrap(),
            from: Region::parse("us-east-1").unwrap(),
            source_arn:
                "arn:aws:rds:us-east-1:123456789012:snapshot:holdfast-prod-db-20261120t060000z-3f9a1c2b7d"
                    .into(),
            kms_key_id: "arn:aws:kms:us-west-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab".into(),
            tags: tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        };
        Case { copy, session_token: None, endpoint: None }
    }

    fn credentials(&self) -> Credentials {
        let token = self.session_token.map(str::to_owned);
        Credentials::new("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", token, None, "test")
    }

    fn ours(&self, now: SystemTime) -> String {
        let endpoint = source_endpoint(self.endpoint, &self.copy);
        copy_snapshot_url(&self.copy, &endpoint, &self.credentials(), now).unwrap()
    }

    fn for_botocore(&self, now: Option<&str>) -> Value {
        let credentials = self.credentials();
        let tags: Vec<_> = self.copy.tags.iter().collect();
        json!({
            "from": self.copy.from, "to": self.copy.to, "source": self.copy.source_arn, "target": self.copy.id,
            "kmsKeyId": self.copy.kms_key_id, "tags": tags, "endpoint": self.endpoint, "now": now,
            "accessKeyId": credentials.access_key_id(), "secretAccessKey": credentials.secret_access_key(),
            "sessionToken": credentials.session_token(),
        })
    }
}

fn cases() -> Vec<Case> {
    let ours = [
        ("holdfast:database", "prod-db"),
        ("holdfast:operation", "prod-db-20261120t060000z-3f9a1c2b7d"),
        ("holdfast:tier", "daily"),
        ("holdfast:verdict", "VALID"),
    ];
    let special = [
        ("Cost Center", "a b  c"),
        ("Owner", "team+data@example.com"),
        ("Straße", "Größe ≥ 1 µm, 東京, 🦀"),
        ("path_to.thing-x", "/a/b:c=d"),
        ("rest", "~!*'()%25&=+#?\"\\<>[]{}|^`;,$"),
        ("empty", ""),
    ];
    let token = "IQoJb3JpZ2luX2VjEJr//////////wEaCXVzLWVhc3QtMSJHMEUCIQD+/=";
    let many: Vec<(String, String)> = (0..12).map(|n| (format!("tag-{n:02}"), n.to_string())).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let china = {
        let mut case = Case::new(&ours);
        case.copy.from = Region::parse("cn-north-1").unwrap();
        case.copy.to = Region::parse("cn-northwest-1").unwrap();
        case.copy.source_arn = "arn:aws-cn:rds:cn-north-1:123456789012:snapshot:s".into();
        case.copy.kms_key_id = "alias/holdfast".into();
        case
    };
    vec![
        Case::new(&ours),
        Case::new(&special),
        // Ten and more: parameters are in the order of the call, not of the alphabet.
        Case::new(&many),
        Case { session_token: Some(token), ..Case::new(&ours) },
        Case { session_token: Some(token), ..Case::new(&special) },
        Case { endpoint: Some("http://127.0.0.1:4510"), ..Case::new(&ours) },
        china,
    ]
}

/// What botocore makes of the cases.
fn botocore(cases: &[Value]) -> Vec<String> {
    let crate_root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python: PathBuf = crate_root.join("../../.venv/bin/python");
    assert!(python.exists(), "run tools/setup first");
    let mut child = Command::new(python)
        .arg(crate_root.join("tests/presign.py"))
        // Nothing of this machine's AWS configuration has a say.
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&serde_json::to_vec(cases).unwrap()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "presign.py ended with {}; its reason is above", output.status);
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The URL without what the time decides.
fn timeless(url: &str) -> String {
    let (place, query) = url.split_once('?').unwrap();
    let kept = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name @ ("X-Amz-Date" | "X-Amz-Signature"), _)) => name.to_owned(),
        // The credential's scope has the day in it.
        Some((name @ "X-Amz-Credential", scope)) => {
            let parts: Vec<&str> = scope.split("%2F").collect();
            format!("{name}={} {}", parts[0], parts[2..].join(" "))
        }
        _ => pair.to_owned(),
    });
    format!("{place}?{}", kept.collect::<Vec<_>>().join("&"))
}

#[test]
fn it_is_what_botocore_makes_but_for_date_and_signature() {
    // GIVEN the same requests, WHEN botocore signs them now and we sign them at another time
    let cases = cases();
    let asked: Vec<Value> = cases.iter().map(|case| case.for_botocore(None)).collect();
    for (case, theirs) in cases.iter().zip(botocore(&asked)) {
        // THEN only date and signature differ
        let ours = case.ours(SystemTime::UNIX_EPOCH + Duration::from_secs(NOW));
        assert_eq!(timeless(&ours), timeless(&theirs));
        assert_ne!(ours, theirs);
    }
}

#[test]
fn at_the_same_time_the_signature_is_the_same() {
    // GIVEN the same requests, WHEN botocore's clock stands at the time that we sign with
    let cases = cases();
    let asked: Vec<Value> = cases.iter().map(|case| case.for_botocore(Some(NOW_TEXT))).collect();
    for (case, theirs) in cases.iter().zip(botocore(&asked)) {
        // THEN nothing differs: the signature is the one that AWS computes
        assert_eq!(case.ours(SystemTime::UNIX_EPOCH + Duration::from_secs(NOW)), theirs);
    }
}

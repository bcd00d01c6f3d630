//! The hand-made IAM authentication token against the one that botocore makes, byte for byte.

// Tests may unwrap: a panic is the failure.
#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use holdfast_aws::rds_auth::token;
use holdfast_core::ids::Region;
use holdfast_core::rds::Endpoint;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

/// 2026-11-20T06:07:08Z.
const NOW: u64 = 1_795_154_828;
const NOW_TEXT: &str = "2026-11-20T06:07:08";

struct Case {
    region: &'static str,
    host: &'static str,
    port: u16,
    user: &'static str,
    session_token: Option<&'static str>,
}

const CASES: [Case; 3] = [
    Case {
        region: "us-east-1",
        host: "prod-db.abcdefghijkl.us-east-1.rds.amazonaws.com",
        port: 5432,
        user: "holdfast_reader",
        session_token: None,
    },
    // A role's credentials, as a function has them.
    Case {
        region: "eu-west-1",
        host: "prod-db.abcdefghijkl.eu-west-1.rds.amazonaws.com",
        port: 15432,
        user: "Some.Reader-1",
        session_token: Some("IQoJb3JpZ2luX2VjEJr//////////wEaCXVzLWVhc3QtMSJHMEUCIQD+/="),
    },
    Case {
        region: "cn-north-1",
        host: "d.x.rds.cn-north-1.amazonaws.com.cn",
        port: 5432,
        user: "a",
        session_token: None,
    },
];

impl Case {
    fn credentials(&self) -> Credentials {
        let token = self.session_token.map(str::to_owned);
        Credentials::new("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", token, None, "test")
    }

    fn ours(&self) -> String {
        let region = Region::parse(self.region).unwrap();
        let endpoint = Endpoint { host: self.host.into(), port: self.port };
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW);
        token(&region, &endpoint, self.user, &self.credentials(), now).unwrap().expose_secret().to_owned()
    }

    fn for_botocore(&self, now: Option<&str>) -> Value {
        let credentials = self.credentials();
        json!({
            "region": self.region, "host": self.host, "port": self.port, "user": self.user, "now": now,
            "accessKeyId": credentials.access_key_id(), "secretAccessKey": credentials.secret_access_key(),
            "sessionToken": credentials.session_token(),
        })
    }
}

/// What botocore makes of the cases.
fn botocore(cases: &[Value]) -> Vec<String> {
    let crate_root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python: PathBuf = crate_root.join("../../.venv/bin/python");
    assert!(python.exists(), "run tools/setup first");
    let mut child = Command::new(python)
        .arg(crate_root.join("tests/rds_auth.py"))
        // Nothing of this machine's AWS configuration has a say.
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&serde_json::to_vec(cases).unwrap()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "rds_auth.py ended with {}; its reason is above", output.status);
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn at_the_same_time_it_is_what_botocore_makes() {
    // GIVEN the same users, WHEN botocore's clock stands at the time that we sign with
    let asked: Vec<Value> = CASES.iter().map(|case| case.for_botocore(Some(NOW_TEXT))).collect();
    for (case, theirs) in CASES.iter().zip(botocore(&asked)) {
        // THEN nothing differs: the signature is the one that RDS computes
        assert_eq!(case.ours(), theirs);
    }
}

#[test]
fn it_is_good_for_fifteen_minutes_and_told_to_nobody() {
    let case = &CASES[0];
    assert!(case.ours().contains("X-Amz-Date=20261120T060708Z&X-Amz-Expires=900&"), "{}", case.ours());
    let region = Region::parse(case.region).unwrap();
    let endpoint = Endpoint { host: case.host.into(), port: case.port };
    let made = token(&region, &endpoint, case.user, &case.credentials(), SystemTime::now()).unwrap();
    assert!(!format!("{made:?}").contains("X-Amz"), "{made:?}");
}

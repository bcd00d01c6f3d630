//! The URL of a server, as libpq reads it (PostgreSQL, "Connection URIs"), and what cannot be meant.

use std::path::Path;
use std::time::Duration;

use holdfast_verify::{ConnectError, RDS_CA_BUNDLE, Statements, Target, Tls};
use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::Verify;
use crate::Error;

/// Where PostgreSQL listens.
const DEFAULT_PORT: u16 = 5432;
/// Bound for one attempt to connect, unless the URL says another.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A server, and what is known of how it was named.
pub struct Server {
    /// What `holdfast-verify` connects to.
    pub target: Target,
    only_rds_trusted: bool,
    no_password: bool,
}

impl Server {
    /// Why there is no connection, with what may help.
    pub fn explain(&self, error: &ConnectError) -> String {
        let hint = match error {
            ConnectError::WrongCredentials(_) if self.no_password => {
                " (no password was given: put it into PGPASSWORD or --password-file)"
            }
            ConnectError::Tls(message) if self.only_rds_trusted && message.contains("UnknownIssuer") => {
                " (the authorities of Amazon RDS are trusted: name others by sslrootcert in --url)"
            }
            ConnectError::Tls(message) if message.contains("does not support TLS") => {
                " (sslmode=disable is for a server on this machine)"
            }
            ConnectError::WrongCredentials(_)
            | ConnectError::Tls(_)
            | ConnectError::Unreachable(_)
            | ConnectError::Refused(_) => "",
        };
        format!("{}: {error}{hint}", place(&self.target))
    }
}

/// `db.example.com:5432`, as a person would name it.
pub fn place(target: &Target) -> String {
    if target.host.contains(':') {
        format!("[{}]:{}", target.host, target.port)
    } else {
        format!("{}:{}", target.host, target.port)
    }
}

/// The server that the command line names.
///
/// # Errors
/// `Usage`, in one sentence that names the flag and holds nothing of the URL but what its parts are called.
pub fn from_args(args: &Verify) -> Result<Server, Error> {
    let parts =
        Parts::read(args.url.0.expose_secret()).map_err(|reason| Error::Usage(format!("--url: {reason}")))?;
    let from_file = args.password_file.as_deref().map(password).transpose()?;
    if from_file.is_some() && parts.password.is_some() {
        return Err(Error::Usage(
            "--password-file: --url holds a password as well; give one of the two".into(),
        ));
    }
    let from_environment = || std::env::var("PGPASSWORD").ok().map(SecretString::from);
    let password = from_file.or(parts.password).or_else(from_environment);
    let (tls, only_rds_trusted) = match (&parts.encrypted, &parts.authorities) {
        (false, _) => (Tls::Off, false),
        (true, Some(path)) => (Tls::Verify { ca_pem: authorities(Path::new(path))? }, false),
        (true, None) => (Tls::Verify { ca_pem: RDS_CA_BUNDLE.to_owned() }, true),
    };
    if !tls.is_enough_for(&parts.host) {
        let message = "--url: sslmode=disable is only for this machine: a loopback address or a Unix socket";
        return Err(Error::Usage(message.into()));
    }
    Ok(Server {
        no_password: password.is_none(),
        only_rds_trusted,
        target: Target {
            host: parts.host,
            port: parts.port,
            user: parts.user,
            // What needs none does not ask for one: a Unix socket with peer authentication.
            password: password.unwrap_or_default(),
            database: parts.database,
            tls,
            connect_timeout: parts.connect_timeout,
            statements: Statements::default(),
        },
    })
}

fn password(path: &Path) -> Result<SecretString, Error> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Error::Usage(format!("--password-file: {}: {error}", path.display())))?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(line.into()),
        _ => Err(Error::Usage(format!("--password-file: {}: its first line is empty", path.display()))),
    }
}

fn authorities(path: &Path) -> Result<String, Error> {
    let wrong = |reason: &dyn std::fmt::Display| {
        Error::Usage(format!("--url: sslrootcert: {}: {reason}", path.display()))
    };
    let pem = std::fs::read_to_string(path).map_err(|error| wrong(&error))?;
    if pem.contains("-----BEGIN CERTIFICATE-----") {
        Ok(pem)
    } else {
        Err(wrong(&"it holds no certificate (PEM)"))
    }
}

/// What a URL says.
#[derive(Debug)]
struct Parts {
    host: String,
    port: u16,
    user: String,
    password: Option<SecretString>,
    database: Option<String>,
    encrypted: bool,
    authorities: Option<String>,
    connect_timeout: Duration,
}

impl Parts {
    /// Reads it; the reason why not holds no part of it that may be secret.
    fn read(text: &str) -> Result<Parts, String> {
        let url = Url::parse(text)
            .map_err(|error| format!("it is no URL ({error}): postgres://USER@HOST:PORT/DATABASE"))?;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err("it does not begin with postgres://".into());
        }
        let decode = |part: &str| {
            percent_decode_str(part)
                .decode_utf8()
                .map(String::from)
                .map_err(|_| "a part of it is not UTF-8".to_owned())
        };
        let filled = |text: String| Some(text).filter(|text| !text.is_empty());
        let mut host = filled(decode(url.host_str().unwrap_or_default())?);
        let mut user = filled(decode(url.username())?);
        let mut password = url.password().map(decode).transpose()?.map(SecretString::from);
        let mut database = filled(decode(url.path().trim_start_matches('/'))?);
        let mut port = url.port();
        let (mut encrypted, mut authorities, mut connect_timeout) = (true, None, CONNECT_TIMEOUT);
        for (name, value) in url.query_pairs() {
            let value = value.into_owned();
            match &*name {
                "host" => host = filled(value),
                "user" => user = filled(value),
                "password" => password = Some(value.into()),
                "dbname" => database = filled(value),
                "port" => {
                    port = Some(value.parse().map_err(|_| "its port is no number up to 65535".to_owned())?)
                }
                "sslmode" => encrypted = is_encrypted(&value)?,
                "sslrootcert" => authorities = filled(value),
                "connect_timeout" => connect_timeout = seconds(&value)?,
                other => {
                    return Err(format!(
                        "{other:?} is not known: sslmode, sslrootcert and connect_timeout are"
                    ));
                }
            }
        }
        let host = host.ok_or("it names no host: postgres://USER@HOST:PORT/DATABASE")?;
        Ok(Parts {
            // An address of IPv6 is bracketed in a URL only.
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: port.unwrap_or(DEFAULT_PORT),
            user: user.ok_or("it names no user: postgres://USER@HOST:PORT/DATABASE")?,
            password,
            database,
            encrypted,
            authorities,
            connect_timeout,
        })
    }
}

/// Whether this `sslmode` means TLS. Less than full verification there is not: what asks for less gets more.
fn is_encrypted(mode: &str) -> Result<bool, String> {
    match mode {
        "verify-full" | "verify-ca" | "require" => Ok(true),
        "disable" => Ok(false),
        "prefer" | "allow" => Err(format!("sslmode={mode} leaves it to the server: verify-full or disable")),
        _ => Err("its sslmode is not known: verify-full or disable".into()),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<u16>() {
        Ok(seconds) if seconds > 0 => Ok(Duration::from_secs(seconds.into())),
        _ => Err("its connect_timeout is no number of seconds above 0".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_as_libpq_does() {
        let parts =
            Parts::read("postgresql://me%40home:p%3Aw@db.example.com:6543/shop?sslrootcert=/etc/ca.pem")
                .unwrap();
        assert_eq!((&*parts.host, parts.port, &*parts.user), ("db.example.com", 6543, "me@home"));
        assert_eq!(parts.password.unwrap().expose_secret(), "p:w");
        assert_eq!(
            (parts.database.as_deref(), parts.authorities.as_deref()),
            (Some("shop"), Some("/etc/ca.pem"))
        );
        assert!(parts.encrypted);

        let parts = Parts::read("postgres://me@[::1]?sslmode=disable&connect_timeout=3").unwrap();
        assert_eq!((&*parts.host, parts.port, parts.encrypted), ("::1", 5432, false));
        assert_eq!((parts.database, parts.connect_timeout), (None, Duration::from_secs(3)));

        let parts = Parts::read("postgres://me@%2Fvar%2Frun/shop?sslmode=disable").unwrap();
        assert_eq!(parts.host, "/var/run");
        let parts = Parts::read("postgres:///shop?host=/var/run&user=me&port=7").unwrap();
        assert_eq!((&*parts.host, parts.port, &*parts.user), ("/var/run", 7, "me"));
    }

    #[test]
    fn what_cannot_be_meant_is_said_without_the_password() {
        for (url, reason) in [
            ("hunter2", "it is no URL"),
            ("mysql://me:hunter2@db/shop", "postgres://"),
            ("postgres://:hunter2@db/shop", "no user"),
            ("postgres:///shop?user=me&password=hunter2", "no host"),
            ("postgres://me:hunter2@db/shop?sslmode=prefer", "sslmode=prefer"),
            ("postgres://me:hunter2@db/shop?sslmode=hunter2", "sslmode is not known"),
            ("postgres://me:hunter2@db/shop?sslrootcrt=x", "\"sslrootcrt\" is not known"),
            ("postgres://me:hunter2@db:99999/shop", "it is no URL"),
            ("postgres://me:hunter2@db/shop?connect_timeout=0", "connect_timeout"),
            ("postgres://me:%FFhunter2@db/shop", "UTF-8"),
        ] {
            let said = Parts::read(url).unwrap_err();
            assert!(said.contains(reason) && !said.contains("hunter2"), "{url}: {said}");
        }
    }
}

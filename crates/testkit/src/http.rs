//! The few plain requests to the local servers that no SDK makes: readiness, certificates, faults.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{Error, Result};

const PATIENCE: Duration = Duration::from_secs(10);

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: String,
}

/// `GET path` of a server on this machine.
///
/// # Errors
/// When nothing answers in time.
pub async fn get(port: u16, path: &str) -> Result<Answer> {
    request(port, "GET", path, "").await
}

/// `POST path` with a JSON body.
///
/// # Errors
/// When nothing answers in time, or the answer is not a success.
pub async fn post(port: u16, path: &str, json: &str) -> Result<Answer> {
    send(port, "POST", path, json).await
}

/// `PUT path` with a JSON body.
///
/// # Errors
/// When nothing answers in time, or the answer is not a success.
pub async fn put(port: u16, path: &str, json: &str) -> Result<Answer> {
    send(port, "PUT", path, json).await
}

/// `DELETE path`.
///
/// # Errors
/// When nothing answers in time, or the answer is not a success.
pub async fn delete(port: u16, path: &str) -> Result<Answer> {
    send(port, "DELETE", path, "").await
}

async fn send(port: u16, method: &str, path: &str, json: &str) -> Result<Answer> {
    let answer = request(port, method, path, json).await?;
    if (200..300).contains(&answer.status) {
        return Ok(answer);
    }
    Err(Error::new(format!("{method} {path}: {} {}", answer.status, answer.body)))
}

async fn request(port: u16, method: &str, path: &str, body: &str) -> Result<Answer> {
    let describe = || format!("{method} http://127.0.0.1:{port}{path}");
    let exchange = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        let head = format!(
            "{method} {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok::<_, std::io::Error>(String::from_utf8_lossy(&answer).into_owned())
    };
    let text = timeout(PATIENCE, exchange)
        .await
        .map_err(|_| Error::new(format!("{}: no answer within {PATIENCE:?}", describe())))?
        .map_err(|cause| Error::because(describe(), &cause))?;
    parse(&text).ok_or_else(|| Error::new(format!("{}: not HTTP", describe())))
}

fn parse(text: &str) -> Option<Answer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split_whitespace().nth(1)?.parse().ok()?;
    Some(Answer { status, body: body.to_owned() })
}

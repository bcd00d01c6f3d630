//! A cloud on a port of this machine that answers what a test says and remembers what it was asked; and a terminal.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::pty::{OpenptyResult, openpty};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

/// Longest time that anything here may take.
const PATIENCE: Duration = Duration::from_secs(60);

pub const OPERATION: &str = "prod-db-r1-0123456789";
pub const MACHINE: &str = "arn:aws:states:us-east-1:123456789012:stateMachine:x";
pub const EXECUTION: &str = "arn:aws:states:us-east-1:123456789012:execution:x:one";

/// One call: its name, and what went with it.
#[derive(Debug, Clone)]
pub struct Call {
    pub name: String,
    pub body: String,
}

impl Call {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// The input of an execution that is started.
    pub fn input(&self) -> Value {
        serde_json::from_str(self.json()["input"].as_str().unwrap()).unwrap()
    }
}

/// Status code and body of an answer.
pub type Answer = (u16, String);

pub fn ok(body: &Value) -> Answer {
    (200, body.to_string())
}

/// What an execution that was started is answered with, and where it is.
pub fn execution(status: &str, more: &Value) -> Answer {
    let mut body = json!({"executionArn": EXECUTION, "stateMachineArn": MACHINE, "status": status,
        "startDate": 1_795_000_000});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    ok(&body)
}

/// A record that has not ended, as DynamoDB writes it.
pub fn open_record() -> Value {
    let text = |text: &str| json!({"S": text});
    json!({"Item": {"operationId": text(OPERATION), "databaseId": text("prod-db"), "type": text("BACKUP"),
        "status": text("VALIDATING"), "startedAt": text("2026-11-20T06:00:00Z"), "owner": text(EXECUTION)}})
}

pub struct Cloud {
    port: u16,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Cloud {
    /// What `answer` does not know is answered as Step Functions and DynamoDB answer when all goes on and nothing is recorded.
    pub fn start(answer: impl Fn(&Call) -> Option<Answer> + Send + Sync + 'static) -> Cloud {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let calls = Arc::new(Mutex::new(Vec::new()));
        let (heard, answer) = (Arc::clone(&calls), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (heard, answer) = (Arc::clone(&heard), Arc::clone(&answer));
                std::thread::spawn(move || serve(stream.unwrap(), &heard, &*answer));
            }
        });
        Cloud { port, calls }
    }

    pub fn calls(&self, name: &str) -> Vec<Call> {
        self.calls.lock().unwrap().iter().filter(|call| call.name == name).cloned().collect()
    }

    pub fn names(&self) -> Vec<String> {
        self.calls.lock().unwrap().iter().map(|call| call.name.clone()).collect()
    }

    /// The command, where nobody has set anything but what leads to this cloud.
    pub fn holdfast(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_holdfast"));
        for (name, _) in std::env::vars() {
            if ["HOLDFAST_", "DR_", "AWS_"].iter().any(|prefix| name.starts_with(prefix)) {
                command.env_remove(name);
            }
        }
        command
            .args(arguments)
            .env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", self.port))
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "a")
            .env("AWS_SECRET_ACCESS_KEY", "b")
            .env("AWS_MAX_ATTEMPTS", "1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env_remove("NO_COLOR")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Waits until a call of this name came `times` times.
    pub fn until(&self, name: &str, times: usize) {
        until(name, || self.calls(name).len() >= times);
    }
}

pub fn until(what: &str, holds: impl Fn() -> bool) {
    let give_up = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < give_up, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn serve(stream: TcpStream, heard: &Mutex<Vec<Call>>, answer: &dyn Fn(&Call) -> Option<Answer>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut length, mut name) = (0, String::new());
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        match line.trim_end().split_once(": ") {
            Some((header, value)) if header.eq_ignore_ascii_case("content-length") => {
                length = value.parse().unwrap()
            }
            Some((header, value)) if header.eq_ignore_ascii_case("x-amz-target") => {
                name = value.rsplit('.').next().unwrap().to_owned();
            }
            Some(_) => {}
            None if line.trim_end().is_empty() => break,
            None => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let body = String::from_utf8(body).unwrap();
    if let Some(action) = body.split('&').find_map(|pair| pair.strip_prefix("Action=")) {
        name = action.to_owned();
    }
    let call = Call { name, body };
    heard.lock().unwrap().push(call.clone());
    let (status, body) = answer(&call).unwrap_or_else(|| match call.name.as_str() {
        "StartExecution" => ok(&json!({"executionArn": EXECUTION, "startDate": 1_795_000_000})),
        "DescribeExecution" => execution("RUNNING", &json!({})),
        "GetExecutionHistory" => ok(&json!({"events": []})),
        "GetItem" | "StopExecution" => ok(&json!({})),
        "Query" => ok(&json!({"Items": [], "Count": 0})),
        _ => (500, String::new()),
    });
    let head = format!("HTTP/1.1 {status} -\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    // Whoever asked may have been stopped.
    let _ = (&stream).write_all((head + &body).as_bytes());
}

/// How a command ended, and what it wrote.
#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub errors: String,
}

/// Waits for the end of a command, and stops it when there is none.
pub fn end(mut child: Child) -> Said {
    let read = |source: Option<Box<dyn std::io::Read + Send>>| {
        std::thread::spawn(move || {
            let mut text = String::new();
            if let Some(mut source) = source {
                source.read_to_string(&mut text).unwrap();
            }
            text
        })
    };
    let out = read(child.stdout.take().map(|pipe| Box::new(pipe) as _));
    let errors = read(child.stderr.take().map(|pipe| Box::new(pipe) as _));
    let give_up = Instant::now() + PATIENCE;
    let ended: Option<ExitStatus> = loop {
        match child.try_wait().unwrap() {
            Some(status) => break Some(status),
            None if Instant::now() > give_up => {
                child.kill().unwrap();
                child.wait().unwrap();
                break None;
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    let (out, errors) = (out.join().unwrap(), errors.join().unwrap());
    let ended = ended.unwrap_or_else(|| panic!("it did not end within {PATIENCE:?}: {out}{errors}"));
    Said { code: ended.code(), out, errors }
}

pub fn press_ctrl_c(child: &Child) {
    kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGINT).unwrap();
}

/// A terminal: what is typed, and what is shown.
pub struct Terminal {
    keyboard: File,
    screen: Option<File>,
}

impl Terminal {
    pub fn new() -> Terminal {
        let OpenptyResult { master, slave } = openpty(None, None).unwrap();
        Terminal { keyboard: File::from(master), screen: Some(File::from(slave)) }
    }

    /// The end that a command reads from or writes to.
    pub fn end(&self) -> Stdio {
        Stdio::from(self.screen.as_ref().unwrap().try_clone().unwrap())
    }

    pub fn types(&self, text: &str) {
        (&self.keyboard).write_all(text.as_bytes()).unwrap();
    }

    /// What was shown, once nobody writes any more.
    pub fn shown(mut self) -> String {
        self.screen = None;
        let mut shown = Vec::new();
        // Linux ends the reading of a terminal that nobody holds with an error.
        let _ = self.keyboard.read_to_end(&mut shown);
        String::from_utf8_lossy(&shown).into_owned()
    }
}

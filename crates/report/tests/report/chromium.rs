//! A headless Chromium, spoken to over a pipe (Chrome DevTools Protocol, `--remote-debugging-pipe`: JSON messages ended
//! by a NUL, in on descriptor 3, out on 4).

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use data_encoding::BASE64;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Longest time that the browser may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Names under which systems know it.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// One browser with one page.
pub struct Browser {
    process: Child,
    orders: ChildStdin,
    answers: Receiver<Value>,
    /// What happened beside the answers: method and parameters.
    pub events: Vec<(String, Value)>,
    session: Option<String>,
    last: u64,
    folder: TempDir,
}

fn binary() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("HOLDFAST_CHROMIUM") {
        return Some(path.into());
    }
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders)
        .flat_map(|folder| NAMES.map(|name| folder.join(name)))
        .find(|path| path.is_file())
}

impl Browser {
    /// A browser; `None` where there is none, unless `HOLDFAST_REQUIRE_CHROMIUM` is `1`; with `0` there is none.
    pub fn start() -> Option<Browser> {
        let asked = std::env::var("HOLDFAST_REQUIRE_CHROMIUM").unwrap_or_default();
        let (required, left_out) = (asked == "1", asked == "0");
        let Some(binary) = binary().filter(|_| !left_out) else {
            assert!(
                !required,
                "HOLDFAST_REQUIRE_CHROMIUM is 1, and there is no Chromium: tools/setup chromium"
            );
            eprintln!("skipped: no Chromium (tools/setup chromium installs it)");
            return None;
        };
        let folder = TempDir::new().expect("a folder");
        let mut process = Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>/dev/null"])
            .arg(binary)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .args(["--disable-dev-shm-usage", "--hide-scrollbars", "--remote-debugging-pipe"])
            .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
            .env("HOME", folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let orders = process.stdin.take().expect("a pipe");
        let mut from = BufReader::new(process.stdout.take().expect("a pipe"));
        let (told, answers) = channel();
        std::thread::spawn(move || {
            let mut message = Vec::new();
            while from.read_until(0, &mut message).is_ok_and(|bytes| bytes > 0) {
                message.pop();
                let Ok(value) = serde_json::from_slice(&message) else { break };
                if told.send(value).is_err() {
                    break;
                }
                message.clear();
            }
        });
        let mut browser =
            Browser { process, orders, answers, events: vec![], session: None, last: 0, folder };
        browser.attach();
        Some(browser)
    }

    fn attach(&mut self) {
        let target = self.call("Target.createTarget", &json!({"url": "about:blank"}));
        let attached =
            self.call("Target.attachToTarget", &json!({"targetId": target["targetId"], "flatten": true}));
        self.session = Some(attached["sessionId"].as_str().expect("a session").to_owned());
        for domain in ["Page", "Runtime", "Network", "Log"] {
            self.call(&format!("{domain}.enable"), &json!({}));
        }
    }

    fn next(&mut self, what: &str) -> Value {
        self.answers
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|error| panic!("{what}: the browser is gone: {error}"))
    }

    /// One order and its answer.
    pub fn call(&mut self, method: &str, params: &Value) -> Value {
        self.last += 1;
        let mut order = json!({"id": self.last, "method": method, "params": params});
        if let Some(session) = &self.session {
            order["sessionId"] = json!(session);
        }
        write!(self.orders, "{order}\0").and_then(|()| self.orders.flush()).expect("the browser listens");
        loop {
            let mut message = self.next(method);
            if message["id"] == self.last {
                assert!(message["error"].is_null(), "{method}: {}", message["error"]);
                return message["result"].take();
            }
            self.note(message);
        }
    }

    fn note(&mut self, mut message: Value) {
        if let Some(method) = message["method"].as_str().map(str::to_owned) {
            self.events.push((method, message["params"].take()));
        }
    }

    /// Shows a page, in a window of this width.
    pub fn open(&mut self, html: &str, width: u32) {
        let file = self.folder.path().join("page.html");
        std::fs::write(&file, html).expect("a file");
        self.resize(width);
        self.events.clear();
        self.call("Page.navigate", &json!({"url": format!("file://{}", file.display())}));
        while !self.events.iter().any(|(method, _)| method == "Page.loadEventFired") {
            let message = self.next("Page.loadEventFired");
            self.note(message);
        }
    }

    /// Gives the window another width, in CSS pixels.
    pub fn resize(&mut self, width: u32) {
        let metrics = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        self.call("Emulation.setDeviceMetricsOverride", &metrics);
    }

    /// Shows the page as it is printed, or as it is on a screen.
    pub fn as_printed(&mut self, printed: bool) {
        self.call("Emulation.setEmulatedMedia", &json!({"media": if printed { "print" } else { "" }}));
    }

    /// What a JavaScript expression comes to.
    pub fn eval(&mut self, expression: &str) -> Value {
        let mut answer =
            self.call("Runtime.evaluate", &json!({"expression": expression, "returnByValue": true}));
        assert!(answer["exceptionDetails"].is_null(), "{}", answer["exceptionDetails"]);
        answer["result"]["value"].take()
    }

    /// The page printed on the paper that it asks for, without its backgrounds, as browsers do by default.
    pub fn pdf(&mut self) -> Vec<u8> {
        let answer =
            self.call("Page.printToPDF", &json!({"preferCSSPageSize": true, "printBackground": false}));
        decoded(&answer)
    }

    /// A picture of the whole page.
    pub fn picture(&mut self) -> Vec<u8> {
        let answer = self.call("Page.captureScreenshot", &json!({"captureBeyondViewport": true}));
        decoded(&answer)
    }

    /// What the page asked for, from anywhere.
    pub fn requests(&self) -> Vec<String> {
        let asked = self.events.iter().filter(|(method, _)| method == "Network.requestWillBeSent");
        asked.map(|(_, params)| params["request"]["url"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

fn decoded(answer: &Value) -> Vec<u8> {
    BASE64.decode(answer["data"].as_str().expect("data").as_bytes()).expect("Base64")
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Closed by itself it ends its helpers too; one that does not answer is killed.
        let close = json!({"id": self.last + 1, "method": "Browser.close"});
        let asked = write!(self.orders, "{close}\0").and_then(|()| self.orders.flush());
        let ended = asked.is_ok()
            && loop {
                match self.answers.recv_timeout(PATIENCE) {
                    Ok(_) => {}
                    Err(error) => break error == RecvTimeoutError::Disconnected,
                }
            };
        if !ended {
            let _ = self.process.kill();
        }
        let _ = self.process.wait();
    }
}

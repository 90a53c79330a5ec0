//! Chromium without a window, driven as its developer tools do it: pages are opened, clicked and typed into, and
//! asked what became of that (the DevTools protocol, one WebSocket on loopback).

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{self, Message, WebSocket};

use crate::patience::{PATIENCE, wait_for};
use crate::scratch::Scratch;

/// The program, as Debian calls it.
pub const PROGRAM: &str = "chromium-headless-shell";

/// A browser with one page.
#[derive(Debug)]
pub struct Browser {
    process: Child,
    socket: WebSocket<TcpStream>,
    session: String,
    sent: u64,
    /// What the page asked for, said, and had to complain about.
    pub requests: Vec<String>,
    /// Exceptions that nobody caught, and refusals of the page's policy.
    pub complaints: Vec<String>,
    _folder: Scratch,
}

impl Browser {
    /// Opens a file in a window of this width.
    ///
    /// # Panics
    /// When there is no browser, or it does not do as it should.
    pub fn open(file: &Path, width: u32) -> Self {
        let folder = Scratch::new();
        let mut process = Command::new(PROGRAM)
            .args(["--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"])
            .arg(format!("--user-data-dir={}", folder.path().display()))
            .arg(format!("--window-size={width},900"))
            .arg("about:blank")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("a browser");
        let stderr = BufReader::new(process.stderr.take().unwrap());
        let mut lines = stderr.lines().map_while(Result::ok);
        let address = lines
            .find_map(|line| Some(line.strip_prefix("DevTools listening on ")?.to_owned()))
            .expect("an address of its developer tools");
        // Whatever else it says is of no interest, but it must not wait for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        let host = address.strip_prefix("ws://").unwrap().split('/').next().unwrap();
        let stream = TcpStream::connect(host).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let (socket, _) = tungstenite::client(&address, stream).unwrap();
        let mut browser = Self {
            process,
            socket,
            session: String::new(),
            sent: 0,
            requests: Vec::new(),
            complaints: Vec::new(),
            _folder: folder,
        };
        let target = browser.call("Target.createTarget", &json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = browser.call("Target.attachToTarget", &attach);
        browser.session = attached["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Page", "Runtime", "Network", "Log"] {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        let address = format!("file://{}", file.display());
        browser.call("Page.navigate", &json!({ "url": address }));
        wait_for("the page", || {
            let state = browser.evaluate("document.readyState + location.protocol");
            (state == "completefile:").then_some(())
        });
        browser
    }

    fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.sent += 1;
        let id = self.sent;
        let mut message = json!({ "id": id, "method": method, "params": parameters });
        if !self.session.is_empty() {
            message["sessionId"] = self.session.as_str().into();
        }
        self.socket.send(Message::text(message.to_string())).unwrap();
        loop {
            let Message::Text(text) = self.socket.read().expect("an answer in time") else {
                continue;
            };
            let told: Value = serde_json::from_str(&text).unwrap();
            if told["id"] == id {
                assert!(told["error"].is_null(), "{method}: {}", told["error"]);
                return told["result"].clone();
            }
            let parameters = &told["params"];
            match told["method"].as_str() {
                Some("Network.requestWillBeSent") => {
                    let url = parameters["request"]["url"].as_str().unwrap();
                    self.requests.push(url.to_owned());
                }
                Some("Runtime.exceptionThrown") => {
                    self.complaints.push(parameters["exceptionDetails"].to_string());
                }
                Some("Log.entryAdded") => self.complaints.push(parameters["entry"].to_string()),
                Some("Page.javascriptDialogOpening") => {
                    self.complaints.push(format!("a dialog: {}", parameters["message"]));
                }
                _ => {}
            }
        }
    }

    /// The value of an expression in the page.
    ///
    /// # Panics
    /// When it throws.
    pub fn evaluate(&mut self, expression: &str) -> Value {
        let asked = json!({ "expression": expression, "returnByValue": true });
        let told = self.call("Runtime.evaluate", &asked);
        assert!(told["exceptionDetails"].is_null(), "{expression}: {}", told["exceptionDetails"]);
        told["result"]["value"].clone()
    }

    /// Waits until an expression is true.
    ///
    /// # Panics
    /// When it is not in time.
    pub fn wait_until(&mut self, expression: &str) {
        wait_for(expression, || (self.evaluate(expression) == true).then_some(()));
    }

    /// Moves the mouse into the middle of the element that an expression gives, and clicks.
    ///
    /// # Panics
    /// When there is no such element.
    pub fn click(&mut self, element: &str) {
        let (x, y) = self.middle(element);
        for kind in ["mouseMoved", "mousePressed", "mouseReleased"] {
            let (button, count) = if kind == "mouseMoved" { ("none", 0) } else { ("left", 1) };
            let event =
                json!({ "type": kind, "x": x, "y": y, "button": button, "clickCount": count });
            self.call("Input.dispatchMouseEvent", &event);
        }
    }

    /// Moves the mouse into the middle of the element that an expression gives.
    ///
    /// # Panics
    /// When there is no such element.
    pub fn hover(&mut self, element: &str) {
        let (x, y) = self.middle(element);
        self.call("Input.dispatchMouseEvent", &json!({ "type": "mouseMoved", "x": x, "y": y }));
    }

    fn middle(&mut self, element: &str) -> (f64, f64) {
        let script = format!(
            "(() => {{ const at = ({element}).getBoundingClientRect(); \
             return [at.x + at.width / 2, at.y + at.height / 2]; }})()"
        );
        let middle = self.evaluate(&script);
        (middle[0].as_f64().unwrap(), middle[1].as_f64().unwrap())
    }

    /// Presses a key, by its name or letter.
    ///
    /// # Panics
    /// When the browser is gone.
    pub fn press(&mut self, key: &str) {
        let code = match key {
            "Enter" => 13,
            "Escape" => 27,
            "Backspace" => 8,
            "ArrowLeft" => 37,
            "ArrowUp" => 38,
            "ArrowRight" => 39,
            "ArrowDown" => 40,
            _ => 0,
        };
        for kind in ["rawKeyDown", "keyUp"] {
            let event = json!({ "type": kind, "key": key, "windowsVirtualKeyCode": code });
            self.call("Input.dispatchKeyEvent", &event);
        }
    }

    /// Types a text where the focus is.
    ///
    /// # Panics
    /// When the browser is gone.
    pub fn type_text(&mut self, text: &str) {
        self.call("Input.insertText", &json!({ "text": text }));
    }

    /// Shows the page as with this colour scheme: `dark`.
    ///
    /// # Panics
    /// When the browser is gone.
    pub fn prefer(&mut self, scheme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.call("Emulation.setEmulatedMedia", &json!({ "features": features }));
    }

    /// Keeps scripts from running in what is opened or loaded from now on, and loads the page anew.
    ///
    /// # Panics
    /// When the browser is gone.
    pub fn without_scripts(&mut self) {
        self.call("Emulation.setScriptExecutionDisabled", &json!({ "value": true }));
        self.call("Page.reload", &json!({}));
    }

    /// A picture of the page, as PNG in base64.
    ///
    /// # Panics
    /// When the browser is gone.
    pub fn screenshot(&mut self) -> String {
        self.call("Page.captureScreenshot", &json!({ "format": "png" }))["data"]
            .as_str()
            .unwrap()
            .to_owned()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It ends its own processes when it is asked to.
        let close = json!({ "id": self.sent + 1, "method": "Browser.close" });
        drop(self.socket.send(Message::text(close.to_string())));
        for _ in 0..100 {
            if matches!(self.process.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        // The program is a script that waits for the browser: all of its group end.
        let group = format!("-{}", self.process.id());
        drop(Command::new("kill").args(["-KILL", "--", &group]).status());
        drop(self.process.wait());
    }
}

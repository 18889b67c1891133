//! A headless Chromium, driven through chromedriver (W3C WebDriver).

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

/// One browser with one window and a profile of its own.
pub struct Browser {
    driver: Child,
    session: String,
    _profile: TempDir,
}

const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
const TRIES_MAX: usize = 100;
const PAUSE: Duration = Duration::from_millis(100);

impl Browser {
    /// Starts one. It accepts the certificate of a development authority, and is otherwise as strict as ever.
    pub fn start() -> Self {
        let profile = TempDir::with_prefix("strongroom-browser-").expect("a temporary folder can be made");
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is there: `cargo xtask test` installs it, or `apt-get install chromium-driver`");
        let port = port(BufReader::new(driver.stdout.take().expect("its output is piped")));
        let mut browser = Browser { driver, session: format!("http://127.0.0.1:{port}/session"), _profile: profile };
        let options = json!({"args": [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            format!("--user-data-dir={}", browser._profile.path().display()),
        ]});
        let capabilities = json!({"browserName": "chrome", "acceptInsecureCerts": true, "goog:chromeOptions": options});
        let opened = browser.post("", &json!({"capabilities": {"alwaysMatch": capabilities}}));
        browser.session = format!("{}/{}", browser.session, opened["sessionId"].as_str().expect("a session has an id"));
        browser
    }

    /// Goes to an address.
    pub fn open(&self, url: &str) {
        self.post("/url", &json!({"url": url}));
    }

    /// Types into a field that is there or about to be.
    pub fn write(&self, selector: &str, text: &str) {
        self.act(selector, "POST", "clear", Some(&json!({})));
        self.act(selector, "POST", "value", Some(&json!({"text": text})));
    }

    /// Clicks what is there or about to be.
    pub fn click(&self, selector: &str) {
        self.act(selector, "POST", "click", Some(&json!({})));
    }

    /// The visible text of what is there or about to be.
    pub fn text(&self, selector: &str) -> String {
        self.act(selector, "GET", "text", None).as_str().expect("text is text").to_owned()
    }

    /// Waits until the address has this in it. Answers the address.
    pub fn arrive(&self, part: &str) -> String {
        let mut url = String::new();
        for _ in 0..TRIES_MAX {
            url = self.request("GET", "/url", None).as_str().unwrap_or_default().to_owned();
            if url.contains(part) {
                return url;
            }
            sleep(PAUSE);
        }
        panic!("the browser is at {url}, not at {part}; it shows:\n{}", self.text("main"));
    }

    /// Runs an async function's body in the page, and answers what it returns.
    pub fn run(&self, script: &str) -> Value {
        let script =
            format!("const done = arguments[0]; (async () => {{ {script} }})().then(done, e => done(String(e)));");
        self.post("/execute/async", &json!({"script": script, "args": []}))
    }

    /// Sets the window's width and the colour scheme that the person prefers.
    pub fn appear(&self, width: u32, scheme: &str) {
        let metrics = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600});
        self.devtools("Emulation.setDeviceMetricsOverride", metrics);
        let feature = |name: &str, value: &str| json!({"name": name, "value": value});
        let features = [feature("prefers-color-scheme", scheme), feature("prefers-reduced-motion", "reduce")];
        self.devtools("Emulation.setEmulatedMedia", json!({"media": "", "features": features}));
    }

    /// Writes a picture of the whole page.
    pub fn picture(&self, file: &Path) {
        let shot = self.devtools("Page.captureScreenshot", json!({"format": "png", "captureBeyondViewport": true}));
        let data = shot["data"].as_str().expect("a picture is base64");
        let url_safe = data.replace('+', "-").replace('/', "_");
        let bytes = strongroom_crypto::base64url::decode(url_safe.trim_end_matches('=')).expect("base64");
        std::fs::write(file, bytes).expect("the picture can be written");
    }

    /// What the page's console has said since the last time, in warnings and errors.
    pub fn console(&self) -> Vec<String> {
        let lines = self.post("/se/log", &json!({"type": "browser"}));
        lines.as_array().into_iter().flatten().map(|line| line["message"].to_string()).collect()
    }

    fn devtools(&self, command: &str, params: Value) -> Value {
        self.post("/goog/cdp/execute", &json!({"cmd": command, "params": params}))
    }

    /// Does something to an element, again until it is there and its page stays.
    fn act(&self, selector: &str, method: &str, what: &str, body: Option<&Value>) -> Value {
        let mut last = Value::Null;
        for _ in 0..TRIES_MAX {
            last = self.try_request("POST", "/element", Some(&json!({"using": "css selector", "value": selector})));
            if let Some(id) = last[ELEMENT].as_str() {
                last = self.try_request(method, &format!("/element/{id}/{what}"), body);
                if last.is_null() || last["error"].is_null() {
                    return last;
                }
            }
            sleep(PAUSE);
        }
        panic!("{what} {selector} at {}: {}", self.request("GET", "/url", None), last["message"]);
    }

    pub fn post(&self, path: &str, body: &Value) -> Value {
        self.request("POST", path, Some(body))
    }

    fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let value = self.try_request(method, path, body);
        assert!(value["error"].is_null(), "{method} {path}: {value}");
        value
    }

    fn try_request(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--max-time", "60", "--request", method]);
        if let Some(body) = body {
            curl.args(["--header", "content-type: application/json", "--data-binary", &body.to_string()]);
        }
        let output = curl.arg(format!("{}{path}", self.session)).output().expect("curl can be run");
        let mut answer: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{method} {path}: {}", String::from_utf8_lossy(&output.stdout)));
        answer["value"].take()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = Command::new("curl").args(["--silent", "--request", "DELETE", &self.session]).output();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// The port that chromedriver says it listens on.
fn port(output: impl BufRead) -> u16 {
    for line in output.lines() {
        let line = line.expect("chromedriver speaks text");
        if let Some((_, port)) = line.split_once("started successfully on port ") {
            return port.trim_end_matches('.').parse().expect("a port is a number");
        }
    }
    panic!("chromedriver ended without a word about its port");
}

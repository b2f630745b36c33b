//! A person's browser: headless Chromium, driven through chromedriver.

use std::{
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    process::{Command, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::{
    By, ChromiumLikeCapabilities, DesiredCapabilities, Key, TypingData, WebDriver, WebElement,
    error::{WebDriverError, WebDriverErrorInner},
};
use url::Url;

use crate::keeper::Keeper;

const MISSING: &str = "Chromium and its driver are not installed here, and these tests do not pass without them.\n\
    Debian: apt-get install -y chromium chromium-driver      (or let `bash tests/run.sh` do it)";

/// How long a person would wait for a page of a debug build on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Script {
    On,
    Off,
}

/// Dark letters on light ground, or the other way round, as the person's device wishes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scheme {
    Light,
    Dark,
}

/// One person's browser, with a profile of its own. End with `close`; a forgotten one ends with the test process.
pub struct Browser {
    driver: WebDriver,
    script: Script,
    _profile: TempDir,
}

impl Browser {
    pub async fn open(script: Script) -> Self {
        Self::open_in("zh-CN", script).await
    }

    /// The browser of a person who reads `language`.
    pub async fn open_in(language: &str, script: Script) -> Self {
        Self::open_with(language, script, &[]).await
    }

    /// With settings of its own, as a person would change them.
    pub async fn open_with(
        language: &str,
        script: Script,
        settings: &[(&str, serde_json::Value)],
    ) -> Self {
        let profile = tempfile::tempdir().expect("a temporary folder");
        let mut wanted = DesiredCapabilities::chrome();
        let mut arguments = vec![
            "--headless".to_owned(),
            "--disable-gpu".to_owned(),
            "--hide-scrollbars".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--disable-quic".to_owned(),
            "--no-first-run".to_owned(),
            "--disable-background-networking".to_owned(),
            "--disable-component-update".to_owned(),
            "--disable-sync".to_owned(),
            "--window-size=1280,1000".to_owned(),
            format!("--lang={language}"),
            format!("--user-data-dir={}", profile.path().display()),
        ];
        if is_root() {
            arguments.push("--no-sandbox".to_owned()); // Chromium refuses to run as root otherwise.
        }
        for argument in &arguments {
            wanted.add_arg(argument).expect("an argument");
        }
        let mut preferences = json!({ "intl.accept_languages": language });
        if script == Script::Off {
            preferences["profile.managed_default_content_settings.javascript"] = json!(2);
        }
        for (name, value) in settings {
            preferences[*name] = value.clone();
        }
        wanted
            .add_experimental_option("prefs", preferences)
            .expect("preferences");
        let driver = WebDriver::new(chromedriver(), wanted)
            .await
            .expect("a browser");
        Self {
            driver,
            script,
            _profile: profile,
        }
    }

    pub fn without_script(&self) -> bool {
        self.script == Script::Off
    }

    pub async fn close(self) {
        let _ = self.driver.quit().await;
    }

    pub async fn goto(&self, url: &str) {
        self.driver
            .goto(url)
            .await
            .unwrap_or_else(|e| panic!("{url} cannot be opened: {e}"));
    }

    pub async fn url(&self) -> Url {
        self.driver.current_url().await.expect("an address")
    }

    /// Waits for an element, and says what was there instead when it does not come.
    pub async fn wait(&self, id: &str) -> WebElement {
        self.wait_any(&[id]).await;
        self.driver
            .find(By::Id(id))
            .await
            .expect("it was here just now")
    }

    /// Waits until one of these elements is there: answers which.
    pub async fn wait_any<'a>(&self, ids: &[&'a str]) -> &'a str {
        let deadline = Instant::now() + PATIENCE;
        loop {
            for id in ids {
                if self.has(id).await {
                    return id;
                }
            }
            assert!(
                Instant::now() < deadline,
                "no {ids:?} came; instead: {}",
                self.describe().await
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until the page has begun the passkey login that autofill offers: its options are here, and the script that
    /// asks the device with them has run.
    pub async fn autofill_has_begun(&self) {
        let script = "return performance.getEntriesByType('resource')\
                      .some(e => e.name.endsWith('/login/passkey/options') && e.responseEnd > 0)";
        let deadline = Instant::now() + PATIENCE;
        while !self.asks(script).await {
            assert!(
                Instant::now() < deadline,
                "autofill never began: {}",
                self.describe().await
            );
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        // The answer is read in a task of its own; a second question is asked after it.
        self.asks(script).await;
    }

    async fn asks(&self, script: &str) -> bool {
        self.run(script).await.as_bool().unwrap_or(false)
    }

    /// What a script answers that is run on the page from outside, whatever the page's own policy is.
    pub async fn run(&self, script: &str) -> Value {
        let answer = self.driver.execute(script, Vec::new()).await;
        answer.expect("a script that runs").json().clone()
    }

    /// The same for a script that answers later, with a promise.
    pub async fn run_and_wait(&self, script: &str) -> Value {
        let script = format!(
            "const done = arguments[arguments.length - 1];
             (async () => {{ {script} }})().then(done, problem => done(String(problem)))"
        );
        let answer = self.driver.execute_async(script, Vec::new()).await;
        answer.expect("a script that runs").json().clone()
    }

    /// Types on whatever has the focus; `Key` is for what is no letter.
    pub async fn type_keys(&self, keys: impl Into<TypingData>) {
        let typed = self.driver.action_chain().send_keys(keys);
        typed.perform().await.expect("a keyboard");
    }

    /// Presses a key while Shift is held.
    pub async fn type_shifted(&self, key: Key) {
        let chain = self.driver.action_chain();
        let typed = chain.key_down(Key::Shift).send_keys(key).key_up(Key::Shift);
        typed.perform().await.expect("a keyboard");
    }

    pub async fn has(&self, id: &str) -> bool {
        self.driver.find(By::Id(id)).await.is_ok()
    }

    /// Presses a button or a link, and waits until the page it was on is gone.
    pub async fn press(&self, id: &str) {
        let element = self.wait(id).await;
        element
            .scroll_into_view()
            .await
            .expect("it can be scrolled to");
        if let Err(e) = element.click().await {
            panic!("`{id}` cannot be pressed ({e}): {}", self.describe().await);
        }
        self.wait_until_gone(&element, id).await;
    }

    /// Waits until the page with this element, which was pressed, has made way for another.
    pub async fn wait_until_gone(&self, element: &WebElement, id: &str) {
        let deadline = Instant::now() + PATIENCE;
        while element.is_displayed().await.is_ok() {
            assert!(
                Instant::now() < deadline,
                "pressing `{id}` led nowhere: {}",
                self.describe().await
            );
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    /// Presses something that leaves the page standing.
    pub async fn touch(&self, id: &str) {
        let element = self.wait(id).await;
        element
            .click()
            .await
            .unwrap_or_else(|e| panic!("`{id}` cannot be pressed: {e}"));
    }

    pub async fn fill(&self, id: &str, text: &str) {
        let field = self.wait(id).await;
        field.clear().await.expect("a field that can be emptied");
        // Not `send_keys`: chromedriver types only the basic plane, and there are names beyond it.
        if text.chars().all(|c| u32::from(c) < 0x1_0000) {
            field
                .send_keys(text)
                .await
                .expect("a field that takes text");
        } else {
            field.focus().await.expect("a field that takes the focus");
            self.driver
                .cdp()
                .send_raw("Input.insertText", json!({ "text": text }))
                .await
                .expect("typed text");
        }
    }

    pub async fn text(&self, id: &str) -> String {
        let element = self.wait(id).await;
        element
            .text()
            .await
            .expect("readable text")
            .trim()
            .to_owned()
    }

    pub async fn attribute(&self, id: &str, name: &str) -> Option<String> {
        self.wait(id)
            .await
            .attr(name)
            .await
            .expect("a readable attribute")
    }

    pub async fn count(&self, css: &str) -> usize {
        self.driver
            .find_all(By::Css(css))
            .await
            .expect("a valid selector")
            .len()
    }

    /// The attribute of every element that the selector finds.
    pub async fn attributes(&self, css: &str, name: &str) -> Vec<String> {
        let mut found = Vec::new();
        for element in self
            .driver
            .find_all(By::Css(css))
            .await
            .expect("a valid selector")
        {
            found.extend(element.attr(name).await.expect("a readable attribute"));
        }
        found
    }

    pub async fn is_shown(&self, id: &str) -> bool {
        self.wait(id)
            .await
            .is_displayed()
            .await
            .expect("a visible or hidden element")
    }

    /// Forgets the cookies of the site that is open, as when a portal's own session has ended.
    pub async fn forget_this_site(&self) {
        self.driver
            .delete_all_cookies()
            .await
            .expect("cookies to delete");
    }

    /// A passkey device: discoverable credentials, user verification. Answers its name, for `touches_device`.
    pub async fn add_authenticator(&self) -> String {
        let cdp = self.driver.cdp();
        cdp.send_raw("WebAuthn.enable", json!({}))
            .await
            .expect("virtual authenticators");
        let made = cdp
            .send_raw(
                "WebAuthn.addVirtualAuthenticator",
                json!({ "options": {
                    "protocol": "ctap2", "transport": "internal", "hasResidentKey": true,
                    "hasUserVerification": true, "isUserVerified": true, "automaticPresenceSimulation": true,
                }}),
            )
            .await
            .expect("a virtual authenticator");
        made["authenticatorId"]
            .as_str()
            .expect("its name")
            .to_owned()
    }

    /// Whether the person touches the device when it asks, or lets it wait.
    pub async fn touches_device(&self, authenticator: &str, touches: bool) {
        let params = json!({ "authenticatorId": authenticator, "enabled": touches });
        let cdp = self.driver.cdp();
        cdp.send_raw("WebAuthn.setAutomaticPresenceSimulation", params)
            .await
            .expect("an obedient authenticator");
    }

    pub async fn screenshot(&self, path: &std::path::Path) {
        self.driver.screenshot(path).await.expect("a picture");
    }

    pub async fn resize(&self, width: u32, height: u32) {
        self.driver
            .set_window_rect(0, 0, width, height)
            .await
            .expect("another size");
    }

    /// A screen of this many CSS pixels, whatever the window is: a phone, or a desk where everything is enlarged.
    pub async fn screen(&self, width: u32, height: u32, scheme: Scheme) {
        let scheme = match scheme {
            Scheme::Light => "light",
            Scheme::Dark => "dark",
        };
        // Colours that fade from one to the other would be measured half way.
        let features = json!([
            { "name": "prefers-color-scheme", "value": scheme },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        let size =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.emulate("setEmulatedMedia", json!({ "features": features }))
            .await;
        self.emulate("setDeviceMetricsOverride", size).await;
    }

    /// The window's own size and colours again.
    pub async fn screen_of_the_window(&self) {
        self.emulate("clearDeviceMetricsOverride", json!({})).await;
        self.emulate("setEmulatedMedia", json!({ "features": [] }))
            .await;
    }

    async fn emulate(&self, what: &str, params: Value) {
        let command = format!("Emulation.{what}");
        let done = self.driver.cdp().send_raw(&command, params).await;
        done.unwrap_or_else(|e| panic!("{command}: {e}"));
    }

    /// The address, the title and the words of the page, for a test that fails; and a picture beside the target folder.
    async fn describe(&self) -> String {
        let url = self
            .driver
            .current_url()
            .await
            .map_or_else(|e| e.to_string(), |u| u.to_string());
        let title = self.driver.title().await.unwrap_or_default();
        let words = match self.driver.find(By::Tag("body")).await {
            Ok(body) => body.text().await.unwrap_or_default(),
            Err(e) => e.to_string(),
        };
        let picture = std::env::temp_dir().join(format!("hefu-browser-{}.png", std::process::id()));
        let _ = self.driver.screenshot(&picture).await;
        format!(
            "{url} 「{title}」\n{words}\n(picture: {})",
            picture.display()
        )
    }
}

/// Whether an error says that the page moved on under an element.
pub fn is_stale(error: &WebDriverError) -> bool {
    matches!(
        error.as_inner(),
        WebDriverErrorInner::StaleElementReference(_)
    )
}

/// The one driver of this test process.
fn chromedriver() -> &'static str {
    static DRIVER: OnceLock<(String, Keeper)> = OnceLock::new();
    let (url, _) = DRIVER.get_or_init(|| {
        #[expect(
            clippy::zombie_processes,
            reason = "the keeper ends it when this process is gone"
        )]
        let mut child = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap_or_else(|_| panic!("{MISSING}"));
        let keeper = Keeper::of(child.id(), None);
        let mut lines = BufReader::new(child.stdout.take().expect("its standard output")).lines();
        let port = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| {
                line.split_once("started successfully on port ")?
                    .1
                    .trim_end_matches('.')
                    .parse::<u16>()
                    .ok()
            })
            .expect("chromedriver says its port");
        std::thread::spawn(move || for _ in lines {}); // It must not choke on a full pipe.
        (format!("http://127.0.0.1:{port}"), keeper)
    });
    url
}

fn is_root() -> bool {
    let answer = Command::new("id").arg("-u").output().expect("id runs");
    answer.stdout.trim_ascii() == b"0"
}

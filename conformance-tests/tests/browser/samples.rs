//! Pages that no walk of `pages.rs` comes by: those of doors that the demo does not lead to, of every brand, with the longest and the
//! strangest texts. hefu's own tests write a sample of each page to `target/pages/`; here they are looked at like the others.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use axum::{Router, extract, http::StatusCode, http::header, response::IntoResponse as _};
use conformance_tests::{
    browser::{Browser, Script},
    inspection::Inspection,
};
use tokio::net::TcpListener;
use tokio::sync::OnceCell;

/// Passed by in `pages.rs`, and alike in all their samples.
const WALKED: [&str; 14] = [
    "AddPasskey",
    "AskPhone",
    "AuthorityHome",
    "ConfirmAct",
    "EnterCode",
    "ErrorPage",
    "LogoutConfirm",
    "NewPassword",
    "Outbox",
    "PhoneTaken",
    "RealName",
    "RegisterHome",
    "RenamePasskey",
    "TooYoung",
];

#[tokio::test(flavor = "multi_thread")]
async fn samples_keep_the_promises_in_chinese() {
    look_at_samples("zh-CN").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn samples_keep_the_promises_in_english() {
    look_at_samples("en").await;
}

async fn look_at_samples(language: &'static str) {
    let folder = written().await;
    let end = format!(".{language}.plain.html");
    let mut pages: Vec<String> = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|file| file.expect("a file").file_name())
        .filter_map(|name| Some(name.to_str()?.strip_suffix(&end)?.to_owned()))
        .filter(|name| !WALKED.contains(&name.split('.').next().unwrap_or_default()))
        .collect();
    pages.sort();
    let site = serve(folder).await;
    let browser = Browser::open_in(language, Script::On).await;
    let mut inspection = Inspection::of_pages_in(language);
    for page in &pages {
        browser.goto(&format!("{site}/{page}{end}")).await;
        browser.wait("heading").await;
        inspection.look(&browser, page).await;
    }
    inspection.passes(30);
    browser.close().await;
}

/// Written anew by hefu's own test, once for both languages, so that they are of this state of the code.
async fn written() -> &'static Path {
    static FOLDER: OnceCell<PathBuf> = OnceCell::const_new();
    let write = || async {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let folder = root.join("target/pages");
        let test = "web::view::tests::every_page_has_its_landmarks_and_nothing_inline";
        let arguments = [
            "test", "--quiet", "-p", "hefu", "--locked", "--lib", "--", "--exact", test,
        ];
        let run = tokio::task::spawn_blocking(move || {
            let _ = std::fs::remove_dir_all(root.join("target/pages"));
            Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
                .args(arguments)
                .current_dir(root)
                .stdout(Stdio::null())
                .status()
        });
        let status = run.await.expect("a task").expect("cargo runs");
        assert!(status.success(), "hefu's own test of its pages fails");
        folder
    };
    FOLDER.get_or_init(write).await
}

/// The folder as a site, without its scripts: nothing would answer them.
async fn serve(folder: &'static Path) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let answer = async move |extract::Path(path): extract::Path<String>| {
        let kind = match path.rsplit('.').next() {
            Some("html") => "text/html; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("svg") => "image/svg+xml",
            _ => return StatusCode::NOT_FOUND.into_response(),
        };
        match std::fs::read(folder.join(path)) {
            Ok(body) => ([(header::CONTENT_TYPE, kind)], body).into_response(),
            Err(_) => StatusCode::NOT_FOUND.into_response(),
        }
    };
    let site = Router::new().route("/{*path}", axum::routing::get(answer));
    tokio::spawn(async move { axum::serve(listener, site).await });
    format!("http://{address}")
}

//! What README and docs point to exists.

use std::path::{Path, PathBuf};

/// Targets of Markdown links and pictures that are files of this repository.
fn links(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("](") {
        rest = &rest[start + 2..];
        let Some(end) = rest.find(')') else { break };
        let target = rest[..end].split('#').next().unwrap_or_default().trim();
        if !target.is_empty() && !target.contains("://") {
            found.push(target.to_owned());
        }
        rest = &rest[end..];
    }
    found
}

#[test]
fn every_file_that_the_documents_name_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut documents: Vec<PathBuf> = vec![root.join("README.md"), root.join("keys/README.md")];
    let docs = std::fs::read_dir(root.join("docs")).unwrap();
    documents.extend(
        docs.map(|d| d.unwrap().path())
            .filter(|p| p.extension().is_some_and(|e| e == "md")),
    );
    let mut missing = Vec::new();
    let mut seen = 0;
    for document in documents {
        let text = std::fs::read_to_string(&document).unwrap();
        for link in links(&text) {
            seen += 1;
            if !document.parent().unwrap().join(&link).exists() {
                missing.push(format!("{} names {link}", document.display()));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(
        seen > 3,
        "only {seen} links were found: is the reader of links broken?"
    );
}

#[test]
fn the_reader_of_links_finds_a_missing_one() {
    assert_eq!(
        links("a [b](docs/x.md#y) ![c](d.png) [e](https://f.example) [g](#h)"),
        ["docs/x.md", "d.png"]
    );
}

#[test]
fn the_service_unit_calls_the_program_as_it_is() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let unit = std::fs::read_to_string(root.join("deploy/hefu.service")).unwrap();
    let mut checked = 0;
    for line in unit.lines() {
        let Some(command) = line
            .strip_prefix("ExecStartPre=")
            .or_else(|| line.strip_prefix("ExecStart="))
        else {
            continue;
        };
        // The arguments before the file must be accepted; the file itself is not on this machine.
        let arguments: Vec<&str> = command.split(' ').skip(1).collect();
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_hefu"))
            .args(&arguments)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{command}: {said}");
        assert!(
            said.contains("cannot read /etc/hefu/hefu.toml"),
            "{command}: {said}"
        );
        checked += 1;
    }
    assert_eq!(checked, 2);
}

#[test]
fn the_shipped_configurations_are_good() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut checked = 0;
    for entry in std::fs::read_dir(root.join("deploy")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "toml") {
            let read = hefu::config::load(&path);
            assert!(read.is_ok(), "{}: {:?}", path.display(), read.err());
            checked += 1;
        }
    }
    assert!(checked >= 4, "{checked}");
}

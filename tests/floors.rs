//! The floors of the house, held up by a test.
//!
//! Reads every `crate::…` path in `src/` and fails when an arrow runs up, or sideways without a reason.
//! The usual cure is to move a small type down, not to add an exception.
//! What each room is for stands in `docs/architecture.md`.

use std::{
    collections::BTreeSet,
    fmt,
    path::{Path, PathBuf},
};

/// Every room of `src/`, and the floor it stands on.
const FLOORS: &[(u8, &[&str])] = &[
    (8, &["main", "cli", "server", "jobs", "demo"]),
    (7, &["web"]),
    (6, &["provider", "relying", "operator"]),
    (5, &["federation"]),
    (4, &["keys", "identity", "session"]),
    (3, &["authn", "client", "consent", "brand", "audit"]),
    (2, &["store", "jose", "crypto", "outbound", "config"]),
    (1, &["oauth", "id", "clock", "random", "telemetry"]),
];

/// The only arrows between neighbours of one floor: (who, leans on, why). They may not form a circle.
const LEANS: &[(&str, &str, &str)] = &[
    ("main", "cli", "the thin main calls the command line"),
    ("cli", "server", "`hefu serve` starts a node"),
    ("cli", "demo", "`hefu demo` starts the demo"),
    (
        "cli",
        "jobs",
        "`hefu jobs run` is one round of a job by hand",
    ),
    (
        "demo",
        "server",
        "the demo is a node with a made-up configuration",
    ),
    ("server", "jobs", "a node runs its own jobs"),
    (
        "operator",
        "provider",
        "removing a client ends its grants in the same transaction",
    ),
    (
        "jose",
        "crypto",
        "a token is signed through the `Signer` trait",
    ),
];

#[test]
fn no_arrow_runs_up() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&source, &mut files);
    assert!(
        files.len() > 20,
        "only {} files found under {}",
        files.len(),
        source.display()
    );

    let mut wrong = Vec::new();
    for path in files {
        let below = path
            .strip_prefix(&source)
            .expect("a file of src")
            .to_owned();
        let text = std::fs::read_to_string(&path).expect("a readable source file");
        wrong.extend(violations(&below, &text));
    }
    let said: Vec<String> = wrong.iter().map(ToString::to_string).collect();
    assert!(
        said.is_empty(),
        "the house leans the wrong way in {} place(s):\n  {}",
        said.len(),
        said.join("\n  ")
    );
}

#[test]
fn neighbours_lean_one_way_only() {
    for (who, on, why) in LEANS {
        assert_eq!(
            floor(who),
            floor(on),
            "{who} → {on} is not between neighbours"
        );
        assert!(!why.is_empty());
        let mut seen = BTreeSet::new();
        let mut ahead = vec![*on];
        while let Some(room) = ahead.pop() {
            assert_ne!(room, *who, "{who} and {on} lean on each other");
            if seen.insert(room) {
                ahead.extend(
                    LEANS
                        .iter()
                        .filter(|(w, ..)| *w == room)
                        .map(|(_, o, _)| *o),
                );
            }
        }
    }
}

/// The test of the test: made-up files, and what must be said about each.
#[test]
fn made_up_violations_are_found() {
    let cases: &[(&str, &str, &[&str])] = &[
        // Fine: down, own room, comments, strings of documentation.
        (
            "provider/tokens.rs",
            "use crate::store::Conn;\nuse crate::provider::grants::Code;",
            &[],
        ),
        (
            "store/mod.rs",
            "//! Neighbour: [crate::provider].\n/* use crate::web; */\nfn a() {} // crate::web::x",
            &[],
        ),
        (
            "web/mod.rs",
            "use crate::{clock::UnixTime, provider::{self, grants}};",
            &[],
        ),
        (
            "session/mod.rs",
            "mod tests { use super::*; use super::Session; }",
            &[],
        ),
        ("store/pool.rs", "use super::Conn;", &[]),
        ("jose/jws.rs", "use crate::crypto::Signer;", &[]),
        ("main.rs", "fn main() { hefu::cli::run() }", &[]),
        // Up.
        (
            "store/mod.rs",
            "use crate::provider::grants;",
            &["store (floor 2) reaches up to provider (floor 6)"],
        ),
        (
            "session/mod.rs",
            "use crate::{\n    clock,\n    federation::{chain::{self}, policy},\n    web,\n};",
            &[
                "session (floor 4) reaches up to federation (floor 5)",
                "session (floor 4) reaches up to web (floor 7)",
            ],
        ),
        (
            "client/mod.rs",
            "fn f() -> crate::keys::Ring { todo!() }",
            &["client (floor 3) reaches up to keys (floor 4)"],
        ),
        (
            "clock.rs",
            "let url = \"https://x\"; crate::web::f(url);",
            &["clock (floor 1) reaches up to web (floor 7)"],
        ),
        (
            "audit/mod.rs",
            "use crate :: { web as w };",
            &["audit (floor 3) reaches up to web (floor 7)"],
        ),
        // Sideways.
        (
            "relying/mod.rs",
            "use crate::provider::x;",
            &["relying leans on its neighbour provider"],
        ),
        (
            "crypto/mod.rs",
            "use crate::jose::x;",
            &["crypto leans on its neighbour jose"],
        ),
        // Round the corner, and into the unknown.
        (
            "oauth.rs",
            "use super::web;",
            &["climbs to the crate root with `super`"],
        ),
        (
            "store/pool.rs",
            "pub use super::super::web::x;",
            &["climbs to the crate root with `super`"],
        ),
        (
            "store/mod.rs",
            "use crate::utils::x;",
            &["`utils` stands on no floor"],
        ),
        (
            "helpers/mod.rs",
            "use crate::clock::UnixTime;",
            &["`helpers` stands on no floor"],
        ),
        (
            "store/mod.rs",
            "use hefu::web;",
            &["store (floor 2) reaches up to web (floor 7)"],
        ),
    ];
    for (file, text, expected) in cases {
        let found: Vec<String> = violations(Path::new(file), text)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(found.len(), expected.len(), "{file}: {text}\n{found:#?}");
        for (said, wanted) in found.iter().zip(*expected) {
            assert!(
                said.contains(wanted),
                "{file}: {text}\nsaid:   {said}\nwanted: {wanted}"
            );
        }
    }
}

struct Violation {
    file: PathBuf,
    line: usize,
    what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "src/{}:{}: {}",
            self.file.display(),
            self.line,
            self.what
        )
    }
}

/// Everything wrong in one file of `src/`; `file` is its path below `src/`.
fn violations(file: &Path, text: &str) -> Vec<Violation> {
    let parts: Vec<&str> = file.iter().filter_map(|p| p.to_str()).collect();
    let room = parts[0].trim_end_matches(".rs");
    if room == "lib" {
        return Vec::new(); // It only lists the rooms.
    }
    let at = |line, what| Violation {
        file: file.to_owned(),
        line,
        what,
    };
    let Some(own) = floor(room) else {
        return vec![at(
            1,
            format!("the room `{room}` stands on no floor; give it one in tests/floors.rs"),
        )];
    };
    // How many `super` lead from this file to the crate root.
    let depth = parts.len() - usize::from(file.ends_with("mod.rs"));

    let code = without_comments(text);
    let mut found = Vec::new();
    for (line, other) in rooms_named(&code) {
        match floor(&other) {
            None => found.push(at(
                line,
                format!("`{other}` stands on no floor; give it one in tests/floors.rs"),
            )),
            Some(theirs) if theirs > own => {
                found.push(at(
                    line,
                    format!("{room} (floor {own}) reaches up to {other} (floor {theirs}); move the small thing it needs down"),
                ));
            }
            Some(theirs) if theirs == own && other != room && !leans(room, &other) => {
                found.push(at(
                    line,
                    format!("{room} leans on its neighbour {other} (both floor {own}); move the shared thing down"),
                ));
            }
            Some(_) => {}
        }
    }
    for (number, line) in code.lines().enumerate() {
        // Only what stands at the left edge: inside an inline module one `super` more is needed.
        let import = line.strip_prefix("pub ").unwrap_or(line);
        if let Some(path) = import.strip_prefix("use ")
            && path.split("::").take_while(|part| *part == "super").count() >= depth
        {
            found.push(at(
                number + 1,
                "climbs to the crate root with `super`; say `crate::`".to_owned(),
            ));
        }
    }
    found
}

/// Every room named after `crate::` or `hefu::`, groups in braces included, with its line.
fn rooms_named(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for root in ["crate", "hefu"] {
        for (start, _) in code.match_indices(root) {
            let before = code[..start].chars().next_back();
            if before.is_some_and(|c| is_word(c) || c == ':' || c == '"' || c == '$') {
                continue;
            }
            let Some(rest) = code[start + root.len()..].trim_start().strip_prefix("::") else {
                continue;
            };
            let rest = rest.trim_start();
            let line_of = |tail: &str| code[..code.len() - tail.len()].matches('\n').count() + 1;
            if let Some(group) = rest.strip_prefix('{') {
                let mut depth = 0;
                let mut fresh = true; // at the start of an element of the outermost group
                let mut tail = group;
                while let Some(c) = tail.chars().next() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => fresh = true,
                        c if fresh && depth == 0 && is_word(c) => {
                            let name: String = tail.chars().take_while(|c| is_word(*c)).collect();
                            found.push((line_of(tail), name.clone()));
                            fresh = false;
                            tail = &tail[name.len()..];
                            continue;
                        }
                        _ => {}
                    }
                    tail = &tail[c.len_utf8()..];
                }
            } else {
                let name: String = rest.chars().take_while(|c| is_word(*c)).collect();
                // Nothing but rooms stands at the root of the crate.
                if !name.is_empty() {
                    found.push((line_of(rest), name));
                }
            }
        }
    }
    found
}

/// The same text, line by line, with comments blanked out.
fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut in_string = false;
    while let Some(c) = rest.chars().next() {
        if in_string {
            if c == '\\' {
                let skip = 1 + rest[1..].chars().next().map_or(0, char::len_utf8);
                out.push_str(&rest[..skip]);
                rest = &rest[skip..];
                continue;
            }
            in_string = c != '"';
        } else if rest.starts_with("//") {
            rest = &rest[rest.find('\n').unwrap_or(rest.len())..];
            continue;
        } else if rest.starts_with("/*") {
            let end = rest.find("*/").map_or(rest.len(), |at| at + 2);
            out.extend(rest[..end].chars().filter(|c| *c == '\n'));
            rest = &rest[end..];
            continue;
        } else if let Some(quote) = ["'\"'", "'\\\"'"].iter().find(|q| rest.starts_with(**q)) {
            // The character '"' opens no string.
            rest = &rest[quote.len()..];
            continue;
        } else if let Some(hashes) = raw_string(rest) {
            let close = format!("\"{}", "#".repeat(hashes));
            let open = hashes + 2;
            let end = rest[open..]
                .find(&close)
                .map_or(rest.len(), |at| open + at + close.len());
            out.extend(rest[..end].chars().filter(|c| *c == '\n'));
            rest = &rest[end..];
            continue;
        } else {
            in_string = c == '"';
        }
        out.push(c);
        rest = &rest[c.len_utf8()..];
    }
    out
}

/// The number of `#` when a raw string with at least one starts here.
fn raw_string(text: &str) -> Option<usize> {
    let hashes = text
        .strip_prefix('r')?
        .bytes()
        .take_while(|b| *b == b'#')
        .count();
    (hashes > 0 && text[1 + hashes..].starts_with('"')).then_some(hashes)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn floor(room: &str) -> Option<u8> {
    FLOORS
        .iter()
        .find(|(_, rooms)| rooms.contains(&room))
        .map(|(floor, _)| *floor)
}

fn leans(room: &str, other: &str) -> bool {
    LEANS
        .iter()
        .any(|(who, on, _)| *who == room && *on == other)
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

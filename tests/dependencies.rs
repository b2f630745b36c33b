//! What may be built into hefu: holds up the licences, bans and banned features of `deny.toml` with nothing but cargo.
//! Advisories need a database from outside; `cargo deny check` looks there.

use serde::Deserialize;
use std::process::Command;

#[test]
fn only_what_deny_toml_allows_is_built_in() {
    let rules: Rules =
        toml::from_str(include_str!("../deny.toml")).expect("deny.toml is understood");
    let tree = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args([
            "tree",
            "--workspace",
            "--locked",
            "--offline",
            "--prefix",
            "none",
            "--format",
            "{p}|{l}|{f}",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo tree runs");
    assert!(
        tree.status.success(),
        "{}",
        String::from_utf8_lossy(&tree.stderr)
    );
    let mut packages: Vec<Package> = String::from_utf8(tree.stdout)
        .expect("text")
        .lines()
        .filter_map(Package::read)
        .collect();
    packages.sort();
    packages.dedup();
    assert!(
        packages.len() > 200,
        "only {} packages in the tree",
        packages.len()
    );

    let wrong = rules.violations(&packages);
    assert!(
        wrong.is_empty(),
        "deny.toml is not kept:\n  {}",
        wrong.join("\n  ")
    );
}

/// JavaScript's clients and tools of `conformance-tests`: exact versions with their hashes, and from no particular host.
#[test]
fn the_javascript_lock_names_versions_and_hashes_and_no_host() {
    let lock = include_str!("../conformance-tests/clients/node/package-lock.json");
    let lock: serde_json::Value = serde_json::from_str(lock).expect("JSON");
    let wanted = include_str!("../conformance-tests/clients/node/package.json");
    let wanted: serde_json::Value = serde_json::from_str(wanted).expect("JSON");
    let packages = lock["packages"].as_object().expect("packages");
    let locked: Vec<_> = packages.iter().filter(|(at, _)| !at.is_empty()).collect();
    assert!(!locked.is_empty());
    for (at, package) in locked {
        assert!(package["integrity"].is_string(), "{at} has no hash");
        assert!(package["resolved"].is_null(), "{at} names a host or a path");
    }
    for (name, version) in wanted["devDependencies"].as_object().expect("a list") {
        let locked = &packages[&format!("node_modules/{name}")]["version"];
        assert_eq!(version, locked, "{name} is not an exact version");
    }
}

/// Python's clients the same: exact versions with their hashes.
#[test]
fn the_python_lock_names_versions_and_hashes_and_no_host() {
    let lock = include_str!("../conformance-tests/clients/python/requirements.txt");
    let wanted = include_str!("../conformance-tests/clients/python/requirements.in");
    assert!(!lock.contains("://"), "it names a host");
    let lines = || {
        lock.lines()
            .filter(|line| !line.trim_start().starts_with('#'))
    };
    let locked: Vec<&str> = lines().filter(|line| !line.starts_with(' ')).collect();
    for package in &locked {
        assert!(
            package.contains("==") && package.ends_with('\\'),
            "{package}: no exact version, or no hash after it"
        );
    }
    assert!(
        lines()
            .filter(|line| line.starts_with("    --hash=sha256:"))
            .count()
            >= locked.len()
    );
    for package in wanted.lines() {
        assert!(
            locked.iter().any(|l| l.starts_with(package)),
            "{package} is not locked"
        );
    }
}

/// The test of the test.
#[test]
fn what_is_banned_is_found() {
    let rules: Rules =
        toml::from_str(include_str!("../deny.toml")).expect("deny.toml is understood");
    let cases = [
        ("serde v1.0.0|MIT OR Apache-2.0|std", None),
        ("x v1.0.0|MIT OR GPL-2.0-only|", None),
        ("x v1.0.0|(MIT/Apache-2.0) AND Unicode-3.0|", None),
        ("x v1.0.0|GPL-2.0-only|", Some("licence")),
        ("x v1.0.0|MIT AND GPL-2.0-only|", Some("licence")),
        (
            "x v1.0.0|(GPL-2.0-only OR MIT) AND AGPL-3.0|",
            Some("licence"),
        ),
        ("x v1.0.0||", Some("licence")),
        (
            "ring v0.17.14|Apache-2.0|",
            Some("one cryptographic library"),
        ),
        ("openssl-sys v0.9.0|MIT|", Some("one TLS stack")),
        ("reqwest v0.12.9|MIT|", Some("outbound")),
        ("reqwest v0.13.5|MIT|", None),
        ("rustls v0.23.46|ISC|aws_lc_rs,ring", Some("feature ring")),
    ];
    for (line, expected) in cases {
        let package = Package::read(line).expect("a package");
        let found = rules.violations(&[package]);
        match expected {
            None => assert!(found.is_empty(), "{line}: {found:?}"),
            Some(words) => assert!(
                found.len() == 1 && found[0].contains(words),
                "{line}: {found:?}"
            ),
        }
    }
}

#[derive(Deserialize)]
struct Rules {
    licenses: Licenses,
    bans: Bans,
}

#[derive(Deserialize)]
struct Licenses {
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Ban>,
    features: Vec<Features>,
}

#[derive(Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
}

#[derive(Deserialize)]
struct Features {
    #[serde(rename = "crate")]
    name: String,
    deny: Vec<String>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Package {
    name: String,
    version: String,
    licence: String,
    features: Vec<String>,
}

impl Package {
    /// One line of `cargo tree --format "{p}|{l}|{f}"`.
    fn read(line: &str) -> Option<Self> {
        let mut parts = line.splitn(3, '|');
        let (name, rest) = parts.next()?.split_once(" v")?;
        let licence = parts.next()?.to_owned();
        let features = parts
            .next()?
            .trim_end_matches(" (*)")
            .split(',')
            .map(str::to_owned)
            .collect();
        let version = rest.split(' ').next()?.to_owned();
        Some(Self {
            name: name.to_owned(),
            version,
            licence,
            features,
        })
    }
}

impl Rules {
    fn violations(&self, packages: &[Package]) -> Vec<String> {
        let mut wrong = Vec::new();
        for Package {
            name,
            version,
            licence,
            features,
        } in packages
        {
            if !self.allowed(licence) {
                wrong.push(format!("{name} {version} has the licence `{licence}`"));
            }
            for ban in &self.bans.deny {
                let (banned, under) = ban.name.split_once('@').unwrap_or((&ban.name, ""));
                if banned == name && (under.is_empty() || version.starts_with(&format!("{under}.")))
                {
                    wrong.push(format!("{name} {version}: {}", ban.reason));
                }
            }
            for rule in self.bans.features.iter().filter(|rule| rule.name == *name) {
                for feature in features.iter().filter(|f| rule.deny.contains(f)) {
                    wrong.push(format!(
                        "{name} {version} is built with its feature {feature}"
                    ));
                }
            }
        }
        wrong
    }

    /// A licence expression: AND binds tighter than OR, as SPDX says; `/` is the old way to write OR.
    fn allowed(&self, expression: &str) -> bool {
        let text = expression
            .replace('/', " OR ")
            .replace('(', " ( ")
            .replace(')', " ) ");
        let words: Vec<&str> = text.split_whitespace().collect();
        let mut at = 0;
        self.any(&words, &mut at)
    }

    fn any(&self, words: &[&str], at: &mut usize) -> bool {
        let mut allowed = self.all(words, at);
        while words.get(*at) == Some(&"OR") {
            *at += 1;
            allowed |= self.all(words, at);
        }
        allowed
    }

    fn all(&self, words: &[&str], at: &mut usize) -> bool {
        let mut allowed = self.one(words, at);
        while words.get(*at) == Some(&"AND") {
            *at += 1;
            allowed &= self.one(words, at);
        }
        allowed
    }

    fn one(&self, words: &[&str], at: &mut usize) -> bool {
        let Some(word) = words.get(*at) else {
            return false;
        };
        *at += 1;
        if *word == "(" {
            let allowed = self.any(words, at);
            *at += 1; // the closing bracket
            return allowed;
        }
        let mut licence = (*word).to_owned();
        if words.get(*at) == Some(&"WITH") {
            licence = format!("{licence} WITH {}", words.get(*at + 1).unwrap_or(&""));
            *at += 2;
        }
        self.licenses.allow.contains(&licence)
    }
}

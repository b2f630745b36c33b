//! What holds for every page: the promised ids, the landmarks, no missing word, nothing inline, nobody's markup but ours.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use fluent_bundle::FluentResource;

use super::{
    Asking, Language, Page, Problem, Vouched,
    frame::Notice,
    language::FILES,
    samples::{self, HOSTILE, Set},
};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Also writes each page to `target/pages/`, for looking at, with the assets beside them.
#[test]
fn every_page_has_its_landmarks_and_nothing_inline() {
    let folder = root().join("target/pages");
    fs::create_dir_all(folder.join("static")).unwrap();
    for (path, body) in crate::web::assets::all() {
        fs::write(folder.join(path.trim_start_matches('/')), body).unwrap();
    }
    for language in Language::ALL {
        for elder in [false, true] {
            for (name, html) in samples::all(language, elder) {
                let mode = if elder { "elder" } else { "plain" };
                let at = format!("{name}.{}.{mode}", language.tag());
                fs::write(folder.join(format!("{at}.html")), &html).unwrap();
                check(&at, &html, language, elder);
            }
        }
    }
}

fn check(at: &str, html: &str, language: Language, elder: bool) {
    let count = |what: &str| html.matches(what).count();
    assert!(html.starts_with("<!DOCTYPE html>"), "{at}");
    assert!(
        html.contains(&format!("<html lang=\"{}\"", language.tag())),
        "{at}"
    );
    assert_eq!(html.contains("data-mode=\"elder\""), elder, "{at}");
    for once in ["<h1", "<main ", "<title>", "<header ", "<footer "] {
        assert_eq!(count(once), 1, "{at}: {once}");
    }
    assert!(!html.contains('⟦'), "{at}: a message is missing");
    let heading = text(between(html, "<h1 id=\"heading\">", "</h1>"));
    let title = text(between(html, "<title>", "</title>"));
    assert!(!heading.is_empty(), "{at}");
    assert!(title.starts_with(&heading), "{at}: {title} / {heading}");
    assert!(!html.contains(" style="), "{at}");
    assert!(!html.contains("<style"), "{at}");
    assert!(!html.contains("javascript:"), "{at}");
    for tag in html.split("<script").skip(1) {
        assert!(tag.starts_with(" src=\"/static/"), "{at}: {tag:.40}");
        // Only what must not miss the frames that follow it runs at once.
        let early = tag.contains("/signed_out.");
        assert!(early || tag.contains("defer></script>"), "{at}");
    }
    // No handler attribute: ` on…="`.
    for tag in html.split('<').filter_map(|part| part.split('>').next()) {
        assert!(!tag.contains(" on"), "{at}: {tag}");
        // Nothing is consented to beforehand; how the page looks now, or what kind of entity an operator enrols, is no consent.
        let appearance = ["name=\"mode\"", "name=\"lang\"", "name=\"type\""];
        let is_appearance = appearance.iter().any(|name| tag.contains(name));
        assert!(is_appearance || !tag.contains(" checked"), "{at}: {tag}");
    }
    let ids = ids(html);
    let unique: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids.len(), unique.len(), "{at}: an id twice");
    for (attribute, part) in ["for=\"", "aria-labelledby=\"", "href=\"#"]
        .iter()
        .flat_map(|attribute| html.split(attribute).skip(1).map(move |p| (attribute, p)))
    {
        let target = part.split('"').next().unwrap();
        assert!(unique.contains(target), "{at}: {attribute}{target}");
    }
    for form in html.split("<form ").skip(1) {
        let form = form.split("</form>").next().unwrap();
        if form.contains("method=\"post\"") && !form.starts_with("id=\"form-post\"") {
            assert!(form.contains("name=\"csrf_token\""), "{at}: {form}");
        }
    }
}

/// The third column of each table that lists pages in `docs/pages.md`.
#[test]
fn every_promised_id_is_there() {
    // Words of the tables that are no ids: tags, names, values.
    let others = "li name decision allow deny item value ended notifying failed data-state logout stay \
                  data-why closed locked too-many h1 data-by here only-here national data-level rn1 data-passkey \
                  data-session data-platform data-claim data-to data-code data-name data-username data-role anchor \
                  intermediate asked data-channel back front both none data-goes-on data-entity csrf_token mode lang allowed refused \
                  data-finding filed approved withdrawn data-room type role terminal reason \
                  good due ending over missing data-client data-kind data-outcome root stale bad unseen";
    let others: BTreeSet<&str> = others.split_whitespace().collect();
    let docs = fs::read_to_string(root().join("docs/pages.md")).unwrap();
    for language in Language::ALL {
        let mut shown: BTreeMap<String, String> = BTreeMap::new();
        for (name, html) in samples::all(language, false) {
            let page = name.split('.').next().unwrap().to_owned();
            shown.entry(page).or_default().push_str(&html);
        }
        let mut pages = BTreeSet::new();
        for line in docs.lines().filter(|line| line.starts_with("| ")) {
            let columns: Vec<&str> = line.trim_matches('|').split(" | ").collect();
            let [page, _, promised] = columns[..] else {
                continue;
            };
            let page = page.trim().split([',', ' ']).next().unwrap();
            if page == "page" {
                continue;
            }
            let html = shown
                .get(page)
                .unwrap_or_else(|| panic!("no sample of {page}"));
            pages.insert(page.to_owned());
            let ids = ids(html);
            for token in promised.split('`').skip(1).step_by(2) {
                // `name` is a field of RealName and an attribute elsewhere.
                let is_field = token == "name" && page == "RealName";
                if token.contains(['/', '{', '=', '…']) || (others.contains(token) && !is_field) {
                    continue;
                }
                let found = match token.split_once('<') {
                    Some((prefix, _)) if !prefix.is_empty() => {
                        ids.iter().any(|id| id.starts_with(prefix))
                    }
                    _ => ids.contains(&token),
                };
                assert!(found, "{page}: {token}");
            }
        }
        let all: BTreeSet<String> = shown.into_keys().collect();
        assert_eq!(all, pages, "pages rendered and pages documented");
    }
}

#[test]
fn the_language_files_say_the_same_things() {
    let [chinese, english] = FILES.map(|(_, text)| messages(text));
    let keys = |file: &BTreeMap<String, BTreeSet<String>>| -> BTreeSet<String> {
        file.keys().cloned().collect()
    };
    let (zh, en) = (keys(&chinese), keys(&english));
    assert_eq!(
        zh.difference(&en).collect::<Vec<_>>(),
        Vec::<&String>::new()
    );
    assert_eq!(
        en.difference(&zh).collect::<Vec<_>>(),
        Vec::<&String>::new()
    );
    for (key, values) in &chinese {
        assert_eq!(values, &english[key], "{key}: other values");
    }
    for (_, text) in FILES {
        // Messages go into HTML as they are.
        assert!(!text.contains(['<', '>', '&']), "markup in a language file");
    }
}

#[test]
fn every_message_is_used_and_every_used_message_exists() {
    let mut sources = String::new();
    for folder in [
        "templates",
        "src/web/view",
        "templates/admin",
        "src/web/view/admin",
    ] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() && !path.ends_with("tests.rs") && !path.ends_with("samples.rs") {
                sources.push_str(&fs::read_to_string(path).unwrap());
            }
        }
    }
    let known = messages(FILES[0].1);
    let unused: Vec<&String> = known
        .keys()
        .filter(|key| !sources.contains(&format!("\"{key}\"")))
        .collect();
    assert_eq!(unused, Vec::<&String>::new());
    for call in [
        "say(\"",
        "say1(\"",
        "say2(\"",
        "plain(\"",
        "plain1(\"",
        "Message::new(\"",
    ] {
        for part in sources.split(call).skip(1) {
            let key = part.split('"').next().unwrap();
            assert!(known.contains_key(key), "{call}{key}");
        }
    }
}

/// Each message with the names of its values.
fn messages(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let resource = FluentResource::try_new(text.to_owned())
        .map_err(|(_, errors)| errors)
        .unwrap();
    assert!(resource.entries().count() > 0);
    let mut found = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some((key, pattern)) = line.split_once(" = ") else {
            assert!(line.is_empty(), "one message per line: {line}");
            continue;
        };
        let values = pattern
            .split("{ $")
            .skip(1)
            .map(|part| part.split(" }").next().unwrap().to_owned())
            .collect();
        assert!(
            found.insert(key.to_owned(), values).is_none(),
            "{key} twice"
        );
    }
    found
}

#[test]
fn every_problem_stands_in_the_summary_and_at_its_field() {
    for problem in [
        Problem::TooManyTries { minutes: 15 },
        Problem::TooManyTries { minutes: 1440 },
        Problem::UsernameMissing,
        Problem::PasswordMissing,
    ] {
        let set = Set {
            language: Language::Chinese,
            elder: false,
        };
        let words = set.language.html(&problem.message()).0;
        let field = problem.field();
        let page = Set::login(set.provider().with_problem(problem), None).html();
        let times = if field.is_some() { 2 } else { 1 };
        assert_eq!(page.matches(&words).count(), times, "{words}");
        if let Some(field) = field {
            assert!(page.contains(&format!("<a href=\"#{field}\">")));
            assert!(page.contains(&format!("id=\"{field}-problem\"")));
            assert!(page.contains(&format!("{field}-hint {field}-problem\" aria-invalid")));
        }
    }
}

#[test]
fn notices_survive_a_redirect() {
    for notice in Notice::ALL {
        assert_eq!(Notice::of(notice.code()), Some(notice));
        for language in Language::ALL {
            assert!(!language.plain(&notice.message()).contains('⟦'));
        }
    }
    assert_eq!(Notice::of("<b>"), None);
}

#[test]
fn hostile_names_stay_in_their_place() {
    for language in Language::ALL {
        let set = Set {
            language,
            elder: false,
        };
        let asking = Asking {
            name: Some(HOSTILE.to_owned()),
            host: HOSTILE.to_owned(),
            vouched: Vouched::Chain {
                region: HOSTILE.to_owned(),
            },
            ..samples::guangdong()
        };
        let mut login = Set::login(set.provider(), Some(asking));
        HOSTILE.clone_into(&mut login.username);
        login.base = format!("/{HOSTILE}");
        login.frame.brand = crate::brand::Brand::other(HOSTILE);
        HOSTILE.clone_into(&mut login.frame.here);
        let pages = [login.html(), Set::overview(set.provider(), true).html()];
        for html in pages {
            assert!(!html.contains("<script>"), "markup got through");
            assert!(!html.contains("alert(1)</script>"), "markup got through");
            assert_eq!(html.matches("</title>").count(), 1);
            assert!(html.contains("𠮷"));
            let texts = html.replace(&*super::language::escaped(HOSTILE), "");
            let inside = between(&texts, "<title>", "</title>");
            assert!(!inside.contains('\u{202E}'), "direction of the title");
            for part in texts.split("<bdi>").skip(1) {
                let isolated = part.split("</bdi>").next().unwrap();
                assert!(!isolated.contains(['\u{202E}', '\u{2069}']));
            }
        }
    }
}

#[test]
fn a_stranger_is_shown_by_its_address() {
    let set = Set {
        language: Language::Chinese,
        elder: false,
    };
    let html = Set::login(set.provider(), Some(samples::stranger())).html();
    // What it calls itself stands once, folded away, as its own word.
    let claimed = between(&html, "id=\"claimed\"", "</details>");
    assert_eq!(html.matches("粤省事").count(), 1);
    assert!(claimed.contains("粤省事") && claimed.contains("未核验"));
    assert!(html.contains("login.example.net"));
    assert!(html.contains("data-vouched=\"no\""));
}

fn ids(html: &str) -> Vec<&str> {
    html.split(" id=\"")
        .skip(1)
        .map(|part| part.split('"').next().unwrap())
        .collect()
}

fn between<'a>(html: &'a str, start: &str, end: &str) -> &'a str {
    let from = html.find(start).unwrap() + start.len();
    &html[from..from + html[from..].find(end).unwrap()]
}

fn text(html: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for c in html.chars() {
        match c {
            '<' => inside = true,
            '>' => inside = false,
            c if !inside => out.push(c),
            _ => {}
        }
    }
    out.trim().to_owned()
}

//! What must hold for every page, looked at where a story passes by: axe-core finds nothing, the landmarks are there, nothing scrolls
//! sideways on a phone or at 400 %, and whatever is pressed is large enough for a finger; in elder mode too.
//!
//! Faults are collected, so that one walk tells all of them: [`Inspection::passes`] at its end fails with the list.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use serde_json::Value;

use crate::browser::{Browser, Scheme};

const MISSING: &str = "axe-core is not installed here, and these tests do not pass without it.\n\
    npm ci --prefix conformance-tests/clients/node      (or let `bash tests/run.sh` do it)";

const MEASURES: &str = include_str!("inspection.js");

/// CSS pixels: a desk; that desk at 200 % and 400 % zoom (WCAG 1.4.4, 1.4.10); a phone.
const DESK: (u32, u32) = (1280, 1000);
const NARROW: [(u32, u32); 3] = [(640, 500), (375, 812), (320, 640)];

/// Elder mode or not, the least height of what is pressed, and the size of the text.
const MODES: [(bool, u32, u32); 2] = [(false, 44, 18), (true, 56, 24)];

pub struct Inspection {
    axe: String,
    /// The language that every page must be in.
    language: &'static str,
    pages: BTreeSet<String>,
    /// By page and what is wrong: on which screens.
    faults: BTreeMap<(String, String), Vec<String>>,
}

impl Inspection {
    pub fn of_pages_in(language: &'static str) -> Self {
        let folder =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/node/node_modules/axe-core");
        let axe = std::fs::read_to_string(folder.join("axe.min.js"))
            .unwrap_or_else(|_| panic!("{MISSING}"));
        Self {
            axe,
            language,
            pages: BTreeSet::new(),
            faults: BTreeMap::new(),
        }
    }

    /// Looks at the page that is open. `page` is what the list of faults calls it.
    pub async fn look(&mut self, browser: &Browser, page: &str) {
        self.pages.insert(page.to_owned());
        browser.run(&self.axe).await;
        let structure = format!("unfold(); return faultsOfStructure('{}')", self.language);
        let faults = browser.run(&format!("{MEASURES}\n{structure}")).await;
        self.note(page, "any screen", faults);

        for (width, height) in [DESK].into_iter().chain(NARROW) {
            browser.screen(width, height, Scheme::Light).await;
            for (elder, target, text) in MODES {
                let measure = format!("faultsOfLayout({target}, {text})");
                let measure = format!("return inElderMode({elder}, () => {measure})");
                let faults = browser.run(&format!("{MEASURES}\n{measure}")).await;
                let mode = if elder { ", elder mode" } else { "" };
                self.note(page, &format!("{width} px{mode}"), faults);
            }
        }
        for ((width, height), scheme, elder) in [
            (DESK, Scheme::Light, false),
            (NARROW[1], Scheme::Dark, true),
        ] {
            browser.screen(width, height, scheme).await;
            let measure = format!("return await inElderMode({elder}, faultsByAxe)");
            let faults = browser
                .run_and_wait(&format!("{MEASURES}\n{measure}"))
                .await;
            self.note(page, &format!("{width} px, {scheme:?}"), faults);
        }
        browser.screen_of_the_window().await;
    }

    /// Fails with everything that was found. `least` is how many pages the walk is known to pass.
    pub fn passes(&self, least: usize) {
        let pages = self.pages.len();
        assert!(pages >= least, "only {pages} pages: {:?}", self.pages);
        let faults = self.faults();
        assert!(
            faults.is_empty(),
            "{} faults on {pages} pages in {}:\n{}",
            faults.len(),
            self.language,
            faults.join("\n")
        );
    }

    /// A line each: the page, what is wrong (axe's own name for it first), where, and on which screens.
    pub fn faults(&self) -> Vec<String> {
        let line = |((page, fault), screens): (&(String, String), &Vec<String>)| {
            format!("- {page}: {fault} [{}]", screens.join("; "))
        };
        self.faults.iter().map(line).collect()
    }

    fn note(&mut self, page: &str, screen: &str, faults: Value) {
        let faults: Vec<String> = serde_json::from_value(faults)
            .unwrap_or_else(|e| panic!("{page} was not measured ({screen}): {e}"));
        for fault in faults {
            let key = (page.to_owned(), fault);
            let screens = self.faults.entry(key).or_default();
            screens.push(screen.to_owned());
        }
    }
}

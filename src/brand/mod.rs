//! Provinces and their brands: data, not code (`table.rs`). A brand is what a citizen sees: a name and one accent colour. Who may bear the
//! name is no question of this room; the federation's superiors vouch for names.
//!
//! All names are labels for tests and demonstrations. hefu is not affiliated with any platform named here and uses no logos.

mod colour;
mod table;

use std::borrow::Cow;

pub use colour::Colour;
pub use table::{NATIONAL, PROVINCES, STAND_IN, SYNTHETIC};

/// What a page is dressed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brand {
    /// The code name; picks the accent colour in the stylesheet.
    pub slug: Cow<'static, str>,
    pub zh: Cow<'static, str>,
    pub en: Cow<'static, str>,
}

impl Brand {
    pub const fn known(slug: &'static str, zh: &'static str, en: &'static str) -> Self {
        Self {
            slug: Cow::Borrowed(slug),
            zh: Cow::Borrowed(zh),
            en: Cow::Borrowed(en),
        }
    }

    /// A brand that is not in the table: its own name in every language, the neutral accent.
    pub fn other(name: &str) -> Self {
        Self {
            slug: Cow::Borrowed("other"),
            zh: Cow::Owned(name.to_owned()),
            en: Cow::Owned(name.to_owned()),
        }
    }

    /// A province's own colour and English name where `name` is one; else `other`.
    pub fn of_place(name: &str) -> Self {
        PROVINCES
            .iter()
            .find(|province| province.zh == name)
            .map_or_else(
                || Self::other(name),
                |province| Self {
                    slug: province.brand.brand.slug.clone(),
                    zh: Cow::Borrowed(province.zh),
                    en: Cow::Borrowed(province.en),
                },
            )
    }

    /// The brand of the table with this slug: national, a province's, or one of the synthetic places.
    pub fn by_slug(slug: &str) -> Option<Self> {
        let provinces = PROVINCES.iter().map(|province| &province.brand);
        let synthetic = SYNTHETIC.iter().map(|place| &place.brand);
        [&NATIONAL, &STAND_IN]
            .into_iter()
            .chain(provinces)
            .chain(synthetic)
            .find(|dress| dress.brand.slug == slug)
            .map(|dress| dress.brand.clone())
    }
}

/// A brand and its colour.
#[derive(Clone, Debug)]
pub struct Dress {
    pub brand: Brand,
    pub accent: Colour,
}

/// A division of the first level.
#[derive(Clone, Debug)]
pub struct Province {
    /// First two digits of GB/T 2260.
    pub code: u8,
    pub iso: &'static str,
    pub zh: &'static str,
    pub en: &'static str,
    pub brand: Dress,
}

impl Province {
    pub fn by_iso(iso: &str) -> Option<&'static Self> {
        PROVINCES.iter().find(|province| province.iso == iso)
    }
}

/// A place below a province that exists only here, named so that nobody can take it for a real one.
#[derive(Clone, Debug)]
pub struct SyntheticPlace {
    pub level: Level,
    pub zh: &'static str,
    pub en: &'static str,
    pub brand: Dress,
}

/// The five levels of government services: 省市县乡村.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Province,
    City,
    County,
    Township,
    Village,
}

/// The part of the stylesheet that is data: one accent per brand, for light and for dark surroundings.
pub fn stylesheet() -> String {
    use std::fmt::Write as _;

    let mut dark = String::from("@media (prefers-color-scheme: dark) {\n");
    let mut light = String::new();
    let provinces = PROVINCES.iter().map(|province| &province.brand);
    let synthetic = SYNTHETIC.iter().map(|place| &place.brand);
    for dress in [&NATIONAL, &STAND_IN]
        .into_iter()
        .chain(provinces)
        .chain(synthetic)
    {
        let (slug, accent) = (&dress.brand.slug, dress.accent);
        let _ = writeln!(light, "[data-brand=\"{slug}\"] {{ --accent: {accent}; }}");
        let _ = writeln!(
            dark,
            "  [data-brand=\"{slug}\"] {{ --accent: {}; }}",
            accent.lightened_for(Colour::DARK_PAPER)
        );
    }
    light + &dark + "}\n"
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_accent_is_readable_in_light_and_in_dark() {
        for province in &PROVINCES {
            let accent = province.brand.accent;
            assert!(
                accent.contrast(Colour::WHITE) >= 4.5,
                "{}: {}",
                province.iso,
                accent.contrast(Colour::WHITE)
            );
            let dark = accent.lightened_for(Colour::DARK_PAPER);
            assert!(dark.contrast(Colour::DARK_PAPER) >= 4.5, "{}", province.iso);
        }
        for dress in [&NATIONAL, &STAND_IN]
            .into_iter()
            .chain(SYNTHETIC.iter().map(|place| &place.brand))
        {
            assert!(dress.accent.contrast(Colour::WHITE) >= 4.5);
        }
    }

    #[test]
    fn slugs_and_codes_are_unique() {
        let mut seen = HashSet::new();
        for province in &PROVINCES {
            assert!(seen.insert(province.brand.brand.slug.to_string()));
            assert!(seen.insert(province.iso.to_owned()));
            assert!(seen.insert(province.code.to_string()));
        }
        assert_eq!(PROVINCES.len(), 31);
        for place in &SYNTHETIC {
            assert!(seen.insert(place.brand.brand.slug.to_string()));
        }
    }

    #[test]
    fn brands_are_found_by_slug() {
        assert_eq!(Brand::by_slug("yueshengshi").unwrap().zh, "粤省事");
        assert_eq!(Brand::by_slug("national").unwrap().zh, "国家账号");
        assert!(Brand::by_slug("nobody").is_none());
    }
}

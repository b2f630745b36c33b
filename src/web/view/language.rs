//! The language files and how a message becomes text: `lang/zh-CN.ftl` and `lang/en.ftl`, read once.
//!
//! Values put into a message are strangers' text. In HTML they are escaped and stand in `<bdi>`; everywhere they lose the characters that
//! turn the direction of the text around them, so that a name cannot reach out of its place.

use std::{fmt::Display, sync::LazyLock};

use askama::filters::Safe;
use fluent_bundle::{FluentArgs, FluentResource, concurrent::FluentBundle};
use unic_langid::LanguageIdentifier;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    #[default]
    Chinese,
    English,
}

impl Language {
    pub const ALL: [Self; 2] = [Self::Chinese, Self::English];

    /// The first language we speak among `tags`, which are in order of preference. `zh-TW`, `zh` and `en-GB` count.
    pub fn first_of<'a>(tags: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        tags.into_iter().find_map(Self::of)
    }

    /// The language of an `Accept-Language` header: highest weight first, in order among equals.
    pub fn accepted(header: &str) -> Option<Self> {
        let mut tags: Vec<(u16, &str)> = header.split(',').take(32).filter_map(weighted).collect();
        tags.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
        Self::first_of(tags.into_iter().map(|(_, tag)| tag))
    }

    pub fn of(tag: &str) -> Option<Self> {
        let primary = tag.trim().split(['-', '_']).next()?;
        if primary.eq_ignore_ascii_case("zh") {
            Some(Self::Chinese)
        } else if primary.eq_ignore_ascii_case("en") {
            Some(Self::English)
        } else {
            None
        }
    }

    /// The tag for `lang` attributes and `ui_locales_supported`.
    pub fn tag(self) -> &'static str {
        match self {
            Self::Chinese => "zh-CN",
            Self::English => "en",
        }
    }

    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Chinese => Self::English,
            Self::English => Self::Chinese,
        }
    }

    /// The message as HTML, its values escaped and isolated.
    pub fn html(self, message: &Message) -> Safe<String> {
        Safe(self.format(message, |value| {
            format!("<bdi>{}</bdi>", escaped(&quiet(value)))
        }))
    }

    /// The message as plain text, for titles and attributes.
    pub fn plain(self, message: &Message) -> String {
        self.format(message, quiet)
    }

    fn format(self, message: &Message, value: impl Fn(&str) -> String) -> String {
        let mut args = FluentArgs::new();
        for (name, raw) in &message.values {
            args.set(*name, value(raw));
        }
        let bundle = catalogue(self);
        let Some(pattern) = bundle
            .get_message(message.key)
            .and_then(|found| found.value())
        else {
            return missing(message.key);
        };
        let mut errors = Vec::new();
        let text = bundle.format_pattern(pattern, Some(&args), &mut errors);
        if errors.is_empty() {
            text.into_owned()
        } else {
            missing(message.key)
        }
    }
}

/// One sentence: the name of its message and the values to put into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    key: &'static str,
    values: Vec<(&'static str, String)>,
}

impl Message {
    pub fn new(key: &'static str) -> Self {
        let values = Vec::new();
        Self { key, values }
    }

    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Display) -> Self {
        self.values.push((name, value.to_string()));
        self
    }
}

/// Without the characters that change direction (or hide) beyond themselves.
pub fn quiet(value: &str) -> String {
    value
        .chars()
        .filter(|c| {
            !matches!(*c,
                '\u{061C}' | '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}'
                | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
                && !c.is_control()
        })
        .collect()
}

pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}

/// What a forgotten message looks like; a test renders every page and looks for it.
fn missing(key: &str) -> String {
    format!("⟦{key}⟧")
}

type Bundle = FluentBundle<FluentResource>;

pub(super) const FILES: [(Language, &str); 2] = [
    (Language::Chinese, include_str!("lang/zh-CN.ftl")),
    (Language::English, include_str!("lang/en.ftl")),
];

fn catalogue(language: Language) -> &'static Bundle {
    static CHINESE: LazyLock<Bundle> = LazyLock::new(|| bundle(FILES[0]));
    static ENGLISH: LazyLock<Bundle> = LazyLock::new(|| bundle(FILES[1]));
    match language {
        Language::Chinese => &CHINESE,
        Language::English => &ENGLISH,
    }
}

fn bundle((language, text): (Language, &str)) -> Bundle {
    let id = LanguageIdentifier::from_bytes(language.tag().as_bytes()).unwrap_or_default();
    let mut bundle = FluentBundle::new_concurrent(vec![id]);
    // Values are isolated by `<bdi>` and by `quiet`; fluent's invisible marks would end up in titles and snapshots.
    bundle.set_use_isolating(false);
    let resource =
        FluentResource::try_new(text.to_owned()).unwrap_or_else(|(resource, _)| resource);
    // A file with errors or a message written twice fails a test of this room; here the rest of the file still serves.
    bundle.add_resource_overriding(resource);
    bundle
}

fn weighted(part: &str) -> Option<(u16, &str)> {
    let mut pieces = part.split(';');
    let tag = pieces.next()?.trim();
    let weight = pieces
        .find_map(|piece| piece.trim().strip_prefix("q="))
        .map_or(1.0, |q| q.trim().parse::<f32>().unwrap_or(0.0));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to 0..=1000 in this line"
    )]
    let weight = (weight.clamp(0.0, 1.0) * 1000.0) as u16;
    (weight > 0).then_some((weight, tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_language() {
        for (header, expected) in [
            ("en", Some(Language::English)),
            ("fr, en-GB;q=0.8, zh;q=0.9", Some(Language::Chinese)),
            ("zh-TW,zh;q=0.9,en;q=0.8", Some(Language::Chinese)),
            ("en;q=0, zh;q=0.1", Some(Language::Chinese)),
            ("en;q=nan, zh", Some(Language::Chinese)),
            ("*", None),
            ("", None),
            (";;;,,,q=1", None),
        ] {
            assert_eq!(Language::accepted(header), expected, "{header:?}");
        }
    }

    #[test]
    fn values_cannot_leave_their_place() {
        let message =
            Message::new("asking-login").with("platform", "<b>\u{202E}x\u{2069}&\"'𠮷\u{0}");
        let html = Language::Chinese.html(&message).0;
        assert!(
            html.contains("<bdi>&lt;b&gt;x&amp;&quot;&#39;𠮷</bdi>"),
            "{html}"
        );
        assert!(Language::English.plain(&message).contains("<b>x&\"'𠮷"));
    }
}

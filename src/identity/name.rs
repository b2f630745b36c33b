//! Names of people, as the register writes them. A name is text of record: nothing is translated or normalised (no NFKC), but the separator
//! between name parts has one form.

use std::fmt;

use crate::crypto::Secret;

/// U+00B7, the only separator between the parts of a name.
const SEPARATOR: char = '\u{b7}';

/// Characters; the longest names of record stay well below.
const MOST: usize = 64;

/// A name that may be stored and shown.
#[derive(Clone)]
pub struct Name(Secret<String>);

/// Why a text is not taken as a name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NameError {
    #[error("no name was given")]
    Missing,
    #[error("the name is longer than {MOST} characters")]
    TooLong,
    #[error("the name holds a character that no name has")]
    Character,
}

impl Name {
    pub fn parse(typed: &str) -> Result<Self, NameError> {
        // Bounded before anything else.
        if typed.len() > MOST * 8 {
            return Err(NameError::TooLong);
        }
        let typed: Vec<char> = typed.trim().chars().collect();
        if typed.is_empty() {
            return Err(NameError::Missing);
        }
        if typed.len() > MOST {
            return Err(NameError::TooLong);
        }
        if !typed.iter().copied().all(allowed) {
            return Err(NameError::Character);
        }
        let mut name = String::with_capacity(typed.len() * 3);
        for (at, &c) in typed.iter().enumerate() {
            let between_han = at > 0
                && is_han(typed[at - 1])
                && typed.get(at + 1).is_some_and(|&next| is_han(next));
            name.push(if looks_like_separator(c) && between_han {
                SEPARATOR
            } else {
                c
            });
        }
        // A name is not made of separators, nor does it begin or end with one.
        if name.starts_with(SEPARATOR)
            || name.ends_with(SEPARATOR)
            || !name.chars().any(char::is_alphabetic)
        {
            return Err(NameError::Character);
        }
        Ok(Self(Secret::new(name)))
    }

    pub fn as_str(&self) -> &str {
        self.0.reveal()
    }

    /// 张*三: first and last character, at most four stars between them; two characters keep the first only.
    pub fn masked(&self) -> String {
        let chars: Vec<char> = self.as_str().chars().collect();
        match chars[..] {
            [] | [_] => "*".to_owned(),
            [first, _] => format!("{first}*"),
            [first, .., last] => format!("{first}{}{last}", "*".repeat((chars.len() - 2).min(4))),
        }
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Name {}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[name]")
    }
}

/// Everything but what cannot stand in a name: controls, invisible and direction-changing characters (they make two names look like one,
/// and a page read backwards), digits, and the signs that markup is made of.
fn allowed(c: char) -> bool {
    match c {
        ' ' | '-' | '\'' | '.' | ',' => true,
        _ if c.is_ascii() => c.is_ascii_alphabetic(),
        '\u{80}'..='\u{9f}'
        | '\u{ad}'
        | '\u{61c}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}'
        | '\u{feff}'
        | '\u{ff1c}'
        | '\u{ff1e}'
        | '\u{ffa0}'
        | '\u{fff9}'..='\u{fffd}'
        | '\u{e0000}'..='\u{e007f}' => false,
        // U+xxFFFE, U+xxFFFF are no characters.
        _ => u32::from(c) & 0xfffe != 0xfffe,
    }
}

/// What keyboards offer instead of U+00B7.
fn looks_like_separator(c: char) -> bool {
    matches!(
        c,
        '\u{2022}' | '\u{2027}' | '\u{30fb}' | '\u{ff65}' | '\u{ff0e}' | '.' | SEPARATOR
    )
}

fn is_han(c: char) -> bool {
    matches!(c,
        '\u{2e80}'..='\u{2fdf}' | '\u{3005}' | '\u{3007}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        // Characters that older versions of GB 18030 keep in the private use area.
        | '\u{e000}'..='\u{f8ff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names() {
        for (typed, name, masked) in [
            ("测试甲", "测试甲", "测*甲"),
            (" 测试甲\u{3000}", "测试甲", "测*甲"),
            ("张三", "张三", "张*"),
            ("阿依古丽·测试", "阿依古丽·测试", "阿****试"),
            ("阿依古丽•测试", "阿依古丽·测试", "阿****试"),
            ("阿依古丽‧测试", "阿依古丽·测试", "阿****试"),
            ("阿依古丽・测试", "阿依古丽·测试", "阿****试"),
            ("阿依古丽･测试", "阿依古丽·测试", "阿****试"),
            ("阿依古丽．测试", "阿依古丽·测试", "阿****试"),
            ("阿依古丽.测试", "阿依古丽·测试", "阿****试"),
            ("𠮷测试", "𠮷测试", "𠮷*试"),
            ("JOHN Q. PUBLIC", "JOHN Q. PUBLIC", "J****C"),
            ("O'Brien-Zoë", "O'Brien-Zoë", "O****ë"),
            (
                "测试测试测试测试·测试测试测试测试·测试测试测试子",
                "测试测试测试测试·测试测试测试测试·测试测试测试子",
                "测****子",
            ),
        ] {
            let parsed = Name::parse(typed).unwrap_or_else(|e| panic!("{typed}: {e}"));
            assert_eq!(parsed.as_str(), name);
            assert_eq!(parsed.masked(), masked);
            assert_eq!(format!("{parsed:?}"), "[name]");
        }
    }

    #[test]
    fn hostile_names() {
        use NameError::{Character, Missing, TooLong};
        let long = "测".repeat(65);
        let huge = "测".repeat(100_000);
        for (typed, error) in [
            ("", Missing),
            (" \u{3000}\t", Missing),
            (long.as_str(), TooLong),
            (huge.as_str(), TooLong),
            ("测试\u{0}甲", Character),
            ("测试\u{7}", Character),
            ("测\n试", Character),
            ("测试\u{202e}甲", Character),
            ("测试\u{2066}甲", Character),
            ("测试\u{200d}甲", Character),
            ("测试\u{feff}甲", Character),
            ("<b>测试</b>", Character),
            ("测试&amp;", Character),
            ("测试{{7*7}}", Character),
            ("\"; DROP TABLE persons; --", Character),
            ("=cmd|' /C calc'!A0", Character),
            ("测试1", Character),
            ("·测试", Character),
            ("测试·", Character),
            ("...", Character),
            ("测试\u{fffe}", Character),
        ] {
            assert_eq!(Name::parse(typed), Err(error), "{typed:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_names_read_again(typed in any::<String>()) {
            if let Ok(name) = Name::parse(&typed) {
                name.masked();
                prop_assert_eq!(Name::parse(name.as_str()), Ok(name));
            }
        }
    }
}

//! Numbers of identity documents: citizen ID number (GB 11643-1999), residence permits of Hong Kong, Macao and Taiwan residents, and the
//! permanent resident card of foreigners. Parsing proves form, birth date and check digit; who holds a number is the register's to say.

use std::fmt;

use crate::clock::UnixTime;
use crate::crypto::Secret;

/// Province codes of GB/T 2260 that a number may begin with. A six-digit code may be withdrawn or unknown, so more is not looked at; and it
/// says where the number was first issued, never where its holder lives.
const PROVINCES: [u8; 32] = [
    11, 12, 13, 14, 15, 21, 22, 23, 31, 32, 33, 34, 35, 36, 37, 41, 42, 43, 44, 45, 46, 50, 51, 52,
    53, 54, 61, 62, 63, 64, 65, 71,
];

/// A well-formed number of an identity document.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum IdNumber {
    /// 公民身份号码
    CitizenId(Text),
    /// 港澳居民居住证, 台湾居民居住证
    ResidencePermit(Text),
    /// 外国人永久居留身份证
    ForeignPr(Text),
}

/// The characters of a checked number. Only this file makes one; `Debug` shows nothing, memory is wiped.
#[derive(Clone, Debug)]
pub struct Text(Secret<String>);

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        crate::crypto::constant_time_eq(self.0.reveal().as_bytes(), other.0.reveal().as_bytes())
    }
}

impl Eq for Text {}

/// Why a number is not one. Tells what is wrong with the typing, never anything about a person.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NumberError {
    #[error("no number was given")]
    Missing,
    #[error("please use your 18-digit number")]
    Fifteen,
    #[error("the number does not have the form of an identity number")]
    Form,
    #[error("the number does not begin with a province's code")]
    Province,
    #[error("the number holds no date of birth")]
    Birth,
    #[error("the date of birth lies in the future")]
    Future,
    #[error("the last character does not fit the others")]
    Check,
}

/// A calendar day.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Birth(i16, i8, i8);

impl IdNumber {
    /// Reads what a person typed: spaces around it, `x` for `X` and full-width characters are forgiven.
    pub fn parse(typed: &str, now: UnixTime) -> Result<Self, NumberError> {
        // Bounded before anything else: the longest form has 18 characters.
        if typed.len() > 200 {
            return Err(NumberError::Form);
        }
        let text: String = typed.trim().chars().map(narrow).collect();
        if text.is_empty() {
            return Err(NumberError::Missing);
        }
        if !text.is_ascii() {
            return Err(NumberError::Form);
        }
        let bytes = text.as_bytes();
        if bytes.len() == 15 {
            return if bytes.iter().all(u8::is_ascii_digit) {
                Err(NumberError::Fifteen)
            } else if bytes[..3].iter().all(u8::is_ascii_uppercase)
                && bytes[3..].iter().all(u8::is_ascii_digit)
            {
                // The card's form before 2023-12; it has no check digit of GB 11643.
                Ok(Self::ForeignPr(Text(Secret::new(text))))
            } else {
                Err(NumberError::Form)
            };
        }
        let well_formed = bytes.len() == 18
            && bytes[..17].iter().all(u8::is_ascii_digit)
            && (bytes[17].is_ascii_digit() || bytes[17] == b'X');
        if !well_formed {
            return Err(NumberError::Form);
        }
        let two = |at: usize| (bytes[at] - b'0') * 10 + (bytes[at + 1] - b'0');
        let permit = matches!(two(0), 81..=83);
        let foreign = bytes[0] == b'9';
        let placed = if foreign {
            PROVINCES.contains(&two(1))
        } else if permit {
            &bytes[2..6] == b"0000"
        } else {
            PROVINCES.contains(&two(0))
        };
        if !placed {
            return Err(NumberError::Province);
        }
        // All three forms keep the date of birth in characters 7 to 14.
        let birth = Birth::parse(&bytes[6..14]).ok_or(NumberError::Birth)?;
        if birth > Birth::today(now) {
            return Err(NumberError::Future);
        }
        if check_digit(&bytes[..17]) != bytes[17] {
            return Err(NumberError::Check);
        }
        let text = Text(Secret::new(text));
        Ok(if foreign {
            Self::ForeignPr(text)
        } else if permit {
            Self::ResidencePermit(text)
        } else {
            Self::CitizenId(text)
        })
    }

    /// The plain number. Every caller must have a reason that `domain.md` knows: matching, indexing, encrypting, an agreed release.
    pub fn plain(&self) -> &str {
        self.text().0.reveal()
    }

    /// First four, stars, last four.
    pub fn masked(&self) -> String {
        let text = self.plain();
        let stars = "*".repeat(text.len().saturating_sub(8));
        format!(
            "{}{stars}{}",
            &text[..4.min(text.len())],
            &text[text.len().saturating_sub(4)..]
        )
    }

    /// The word of `cn_id_type`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::CitizenId(_) => "resident_id",
            Self::ResidencePermit(_) => "residence_permit",
            Self::ForeignPr(_) => "foreign_pr",
        }
    }

    /// `YYYY-MM-DD`; `None` for the old permanent resident card, whose year has two digits.
    pub fn birthdate(&self) -> Option<String> {
        self.birth()
            .map(|Birth(y, m, d)| format!("{y:04}-{m:02}-{d:02}"))
    }

    /// `male` or `female` as OIDC Core 5.1 spells it, from the parity of the sequence (GB 11643); `None` for cards that do not say.
    pub fn gender(&self) -> Option<&'static str> {
        match self {
            Self::CitizenId(text) | Self::ResidencePermit(text) => {
                let odd = text.0.reveal().as_bytes().get(16)? % 2 == 1;
                Some(if odd { "male" } else { "female" })
            }
            Self::ForeignPr(_) => None,
        }
    }

    /// Whole years on China's calendar at `now`. Somebody born on 29 February is a year older on 1 March of common years.
    pub fn age(&self, now: UnixTime) -> Option<u32> {
        let Birth(year, month, day) = self.birth()?;
        let Birth(y, m, d) = Birth::today(now);
        let had_birthday = (m, d) >= (month, day);
        u32::try_from(y - year - i16::from(!had_birthday)).ok()
    }

    fn birth(&self) -> Option<Birth> {
        self.plain()
            .as_bytes()
            .get(6..14)
            .filter(|_| self.plain().len() == 18)
            .and_then(Birth::parse)
    }

    const fn text(&self) -> &Text {
        match self {
            Self::CitizenId(text) | Self::ResidencePermit(text) | Self::ForeignPr(text) => text,
        }
    }
}

impl Birth {
    fn parse(digits: &[u8]) -> Option<Self> {
        let number = |from: usize, to: usize| {
            digits[from..to]
                .iter()
                .fold(0_i16, |n, d| n * 10 + i16::from(d - b'0'))
        };
        let (year, month, day) = (number(0, 4), number(4, 6), number(6, 8));
        let date = jiff::civil::Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?);
        date.ok()
            .filter(|date| date.year() >= 1800)
            .map(|date| Self(date.year(), date.month(), date.day()))
    }

    fn today(now: UnixTime) -> Self {
        let (y, m, d) = now.china_date();
        Self(y, m, d)
    }
}

impl fmt::Debug for Birth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[birth]")
    }
}

/// GB 11643-1999 (ISO 7064 MOD 11-2) over the first seventeen digits.
fn check_digit(seventeen: &[u8]) -> u8 {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sum: u32 = seventeen
        .iter()
        .zip(WEIGHTS)
        .map(|(digit, weight)| u32::from(digit - b'0') * weight)
        .sum();
    b"10X98765432"[(sum % 11) as usize]
}

/// Full-width forms (U+FF01..U+FF5E), which Chinese input methods make, as the characters meant; letters in upper case.
fn narrow(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        _ => c,
    }
    .to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// 2026-11-23 in China.
    const NOW: UnixTime = UnixTime(1_795_400_000);

    #[test]
    fn published_and_synthetic_numbers() {
        for (number, kind, birth) in [
            ("11010519491231002X", "resident_id", "1949-12-31"),
            ("440524188001010014", "resident_id", "1880-01-01"),
            ("810000199408230021", "residence_permit", "1994-08-23"),
            ("830000199201300022", "residence_permit", "1992-01-30"),
            ("449999195003010014", "resident_id", "1950-03-01"),
            ("44999919700101001X", "resident_id", "1970-01-01"),
            ("329999196207150024", "resident_id", "1962-07-15"),
            ("509999198811090032", "resident_id", "1988-11-09"),
            ("529999199105200044", "resident_id", "1991-05-20"),
            ("469999192002290069", "resident_id", "1920-02-29"),
            ("219999197908080072", "resident_id", "1979-08-08"),
            ("509999201806010098", "resident_id", "2018-06-01"),
            ("449999201009010080", "resident_id", "2010-09-01"),
            ("810000198504129981", "residence_permit", "1985-04-12"),
            ("820000198504129983", "residence_permit", "1985-04-12"),
            ("830000198504129985", "residence_permit", "1985-04-12"),
            ("944276198102039925", "foreign_pr", "1981-02-03"),
        ] {
            let parsed = IdNumber::parse(number, NOW).unwrap_or_else(|e| panic!("{number}: {e}"));
            assert_eq!(parsed.plain(), number);
            assert_eq!(parsed.kind(), kind, "{number}");
            assert_eq!(parsed.birthdate().as_deref(), Some(birth), "{number}");
        }
    }

    #[test]
    fn what_is_forgiven_and_what_is_not() {
        for (typed, result) in [
            (" 44999919700101001x\n", Ok("4499**********001X")),
            (
                "４４９９９９１９７００１０１００１ｘ",
                Ok("4499**********001X"),
            ),
            ("ABC123456789012", Ok("ABC1*******9012")),
            ("abc123456789012", Ok("ABC1*******9012")),
            ("", Err(NumberError::Missing)),
            ("  ", Err(NumberError::Missing)),
            ("449999195003010015", Err(NumberError::Check)),
            ("44999919500230001X", Err(NumberError::Birth)),
            ("009999195003010012", Err(NumberError::Province)),
            ("449999209901010010", Err(NumberError::Future)),
            ("449999500301001", Err(NumberError::Fifteen)),
            ("710000198504129981", Err(NumberError::Check)),
            ("810001198504129981", Err(NumberError::Province)),
            ("900276198102039925", Err(NumberError::Province)),
            ("4499991950030100141", Err(NumberError::Form)),
            ("449999 195003010014", Err(NumberError::Form)),
            ("44999919500301001Y", Err(NumberError::Form)),
            ("4499991950030100\u{0}4", Err(NumberError::Form)),
            ("<script>alert(1)</script>", Err(NumberError::Form)),
            (
                "四四九九九九一九五〇〇三〇一〇〇一四",
                Err(NumberError::Form),
            ),
            ("449999000001010014", Err(NumberError::Birth)),
        ] {
            let parsed = IdNumber::parse(typed, NOW).map(|number| number.masked());
            assert_eq!(parsed.as_deref().map_err(|e| *e), result, "{typed:?}");
        }
    }

    #[test]
    fn ages_follow_chinas_calendar() {
        // 2026-09-01 00:00 in China is 2026-08-31 16:00 UTC.
        let minor = IdNumber::parse("449999201009010080", NOW).unwrap();
        let birthday = UnixTime(1_788_192_000);
        assert_eq!(birthday.china_date(), (2026, 9, 1));
        assert_eq!(minor.age(birthday), Some(16));
        assert_eq!(minor.age(birthday.plus(-1)), Some(15));
        let leap = IdNumber::parse("469999192002290069", NOW).unwrap();
        assert_eq!(leap.age(NOW), Some(106));
        assert_eq!(
            IdNumber::parse("509999201806010098", NOW).unwrap().age(NOW),
            Some(8)
        );
        assert_eq!(
            IdNumber::parse("ABC123456789012", NOW).unwrap().age(NOW),
            None
        );
    }

    #[test]
    fn nothing_shows_in_debug() {
        let number = IdNumber::parse("449999195003010014", NOW).unwrap();
        assert!(!format!("{number:?}").contains("4499"));
    }

    proptest! {
        #[test]
        fn no_text_panics(typed in "\\PC{0,40}") {
            if let Ok(number) = IdNumber::parse(&typed, NOW) {
                number.masked();
                number.age(NOW);
                // What was read reads again as the same.
                prop_assert_eq!(IdNumber::parse(number.plain(), NOW), Ok(number));
            }
        }

        #[test]
        fn one_wrong_digit_is_found(at in 0_usize..17, digit in 0_u8..10) {
            let good = b"449999195003010014";
            let mut typed = *good;
            typed[at] = b'0' + digit;
            let typed = String::from_utf8(typed.to_vec()).unwrap();
            prop_assert_eq!(
                IdNumber::parse(&typed, NOW).is_ok(),
                typed.as_bytes() == good
            );
        }
    }
}

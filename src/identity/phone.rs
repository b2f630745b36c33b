//! Mobile numbers of mainland China. Numbers are re-issued: a phone is a way to log in and a factor, never who somebody is.

use std::fmt;

use crate::crypto::Secret;

/// A mobile number in the form `+86…`.
#[derive(Clone)]
pub struct Phone(Secret<String>);

/// The text is not a mobile number.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a mobile number of eleven digits")]
pub struct PhoneError;

impl Phone {
    /// Reads what a person typed: `+86`, `0086`, spaces, hyphens and full-width digits are forgiven.
    pub fn parse(typed: &str) -> Result<Self, PhoneError> {
        // Bounded before anything else.
        if typed.len() > 100 {
            return Err(PhoneError);
        }
        let mut digits = String::with_capacity(16);
        for c in typed.trim().chars() {
            match c {
                '0'..='9' | '+' => digits.push(c),
                '\u{ff10}'..='\u{ff19}' => {
                    digits.extend(char::from_u32(u32::from(c) - 0xfee0));
                }
                '\u{ff0b}' => digits.push('+'),
                ' ' | '-' | '\u{a0}' | '\u{3000}' => {}
                _ => return Err(PhoneError),
            }
        }
        let local = ["+86", "0086"]
            .iter()
            .find_map(|prefix| digits.strip_prefix(prefix))
            .unwrap_or(&digits);
        let local = match local.strip_prefix("86") {
            Some(rest) if local.len() == 13 => rest,
            _ => local,
        };
        match local.as_bytes() {
            [b'1', b'3'..=b'9', rest @ ..]
                if rest.len() == 9 && rest.iter().all(u8::is_ascii_digit) =>
            {
                Ok(Self(Secret::new(format!("+86{local}"))))
            }
            _ => Err(PhoneError),
        }
    }

    /// `+8613800000000`: what is stored and released as `phone_number` (OIDC Core 5.1 wants E.164).
    pub fn e164(&self) -> &str {
        self.0.reveal()
    }

    /// Eleven digits, as people write it.
    pub fn local(&self) -> &str {
        self.e164().strip_prefix("+86").unwrap_or(self.e164())
    }

    /// `138****0000`
    pub fn masked(&self) -> String {
        let local = self.local();
        format!("{}****{}", &local[..3], &local[7..])
    }
}

impl PartialEq for Phone {
    fn eq(&self, other: &Self) -> bool {
        self.e164() == other.e164()
    }
}

impl Eq for Phone {}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[phone]")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn phones() {
        for typed in [
            "14000000001",
            " 140 0000 0001 ",
            "140-0000-0001",
            "+8614000000001",
            "+86 140 0000 0001",
            "008614000000001",
            "8614000000001",
            "１４０００００００01",
        ] {
            let phone = Phone::parse(typed).unwrap_or_else(|e| panic!("{typed}: {e}"));
            assert_eq!(phone.e164(), "+8614000000001", "{typed}");
            assert_eq!(phone.local(), "14000000001");
            assert_eq!(phone.masked(), "140****0001");
            assert_eq!(format!("{phone:?}"), "[phone]");
        }
        let huge = "1".repeat(1_000_000);
        for typed in [
            "",
            "12000000001",
            "1400000000",
            "140000000011",
            "+1 415 555 0100",
            "+8524000001",
            "14000000001x",
            "1400000\u{0}001",
            "८४०००००००००",
            "+86+8614000000001",
            "<script>",
            huge.as_str(),
        ] {
            assert_eq!(Phone::parse(typed), Err(PhoneError), "{typed:.20}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_phones_read_again(typed in "[+0-9 -]{0,16}") {
            if let Ok(phone) = Phone::parse(&typed) {
                prop_assert_eq!(phone.masked().len(), 11);
                prop_assert_eq!(Phone::parse(phone.e164()), Ok(phone));
            }
        }
    }
}

//! Distinguished names: as a certificate holds them, and as RFC 4514 writes them (last part first). Values are compared
//! character for character, which is stricter than directories are.

use x509_parser::x509::X509Name;

/// Names of attribute types that may stand for their number (RFC 4514 §3, and those that certificates of organisations use).
const TYPES: [(&str, &str); 15] = [
    ("CN", "2.5.4.3"),
    ("SN", "2.5.4.4"),
    ("SERIALNUMBER", "2.5.4.5"),
    ("C", "2.5.4.6"),
    ("L", "2.5.4.7"),
    ("ST", "2.5.4.8"),
    ("STREET", "2.5.4.9"),
    ("O", "2.5.4.10"),
    ("OU", "2.5.4.11"),
    ("BUSINESSCATEGORY", "2.5.4.15"),
    ("POSTALCODE", "2.5.4.17"),
    ("ORGANIZATIONIDENTIFIER", "2.5.4.97"),
    ("UID", "0.9.2342.19200300.100.1.1"),
    ("DC", "0.9.2342.19200300.100.1.25"),
    ("EMAILADDRESS", "1.2.840.113549.1.9.1"),
];

/// Relative names in the certificate's order, each a sorted set of number and value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DistinguishedName(Vec<Vec<(String, String)>>);

impl DistinguishedName {
    /// Reads the text form; `None` when it is none, or is empty.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = Vec::new();
        // RFC 4514 §2.1: in reverse of the encoding.
        for part in split(text, b',').into_iter().rev() {
            let set: Option<Vec<_>> = split(part, b'+').into_iter().map(attribute).collect();
            parts.push(sorted(set?));
        }
        Some(Self(parts))
    }

    /// `None`: it holds a value that is no text.
    pub(super) fn of(name: &X509Name<'_>) -> Option<Self> {
        let mut parts = Vec::new();
        for part in name.iter_rdn() {
            let set: Option<Vec<_>> = part
                .iter()
                .map(|a| Some((a.attr_type().to_id_string(), a.as_str().ok()?.to_owned())))
                .collect();
            parts.push(sorted(set?));
        }
        Some(Self(parts))
    }
}

fn sorted(mut set: Vec<(String, String)>) -> Vec<(String, String)> {
    set.sort();
    set
}

/// At every `separator` without a backslash before it.
fn split(text: &str, separator: u8) -> Vec<&str> {
    let (mut parts, mut from, mut escaped) = (Vec::new(), 0, false);
    for (at, byte) in text.bytes().enumerate() {
        if escaped {
            escaped = false;
        } else if byte == b'\\' {
            escaped = true;
        } else if byte == separator {
            parts.push(&text[from..at]);
            from = at + 1;
        }
    }
    parts.push(&text[from..]);
    parts
}

/// `type=value` (§2.3, §2.4), white space around either left out.
fn attribute(text: &str) -> Option<(String, String)> {
    let (kind, value) = text.split_once('=')?;
    let kind = kind.trim().to_ascii_uppercase();
    let known = TYPES.iter().find(|(name, _)| *name == kind);
    let number = match known {
        Some((_, number)) => (*number).to_owned(),
        None if !kind.is_empty() && kind.bytes().all(|b| b.is_ascii_digit() || b == b'.') => kind,
        None => return None,
    };
    let value = value.trim_start();
    let value = match value.strip_prefix('#') {
        Some(hex) => from_der(&from_hex(hex.trim_end())?)?,
        None => unescaped(value)?,
    };
    Some((number, value))
}

/// A backslash stands before a character that means itself, or before two digits of a byte.
fn unescaped(text: &str) -> Option<String> {
    let mut out = Vec::new();
    // What is kept of the end even if it is white space.
    let mut kept = 0;
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            if byte != b' ' {
                kept = out.len();
            }
            continue;
        }
        let first = bytes.next()?;
        if first.is_ascii_hexdigit() {
            let pair = [first, bytes.next()?];
            out.push(u8::from_str_radix(std::str::from_utf8(&pair).ok()?, 16).ok()?);
        } else {
            out.push(first);
        }
        kept = out.len();
    }
    out.truncate(kept);
    (!out.is_empty()).then(|| String::from_utf8(out).ok())?
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    let pairs = (0..text.len()).step_by(2);
    pairs
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok())
        .collect()
}

/// The text in an encoded UTF8String, PrintableString or IA5String of fewer than 128 bytes.
fn from_der(bytes: &[u8]) -> Option<String> {
    match bytes {
        [0x0c | 0x13 | 0x16, length, rest @ ..]
            if usize::from(*length) == rest.len() && *length < 128 =>
        {
            String::from_utf8(rest.to_vec()).ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_form_is_read() {
        let parts = |text: &str| {
            DistinguishedName::parse(text).map(|DistinguishedName(parts)| {
                let part = |set: &Vec<(String, String)>| {
                    let all: Vec<_> = set.iter().map(|(k, v)| format!("{k}={v}")).collect();
                    all.join("+")
                };
                parts.iter().map(part).collect::<Vec<_>>().join("|")
            })
        };
        for (text, expected) in [
            ("CN=rp", Some("2.5.4.3=rp")),
            (
                "cn=rp, O=A B ,C=CN",
                Some("2.5.4.6=CN|2.5.4.10=A B|2.5.4.3=rp"),
            ),
            (
                "OU=Sales+CN=J. Smith,DC=example",
                Some("0.9.2342.19200300.100.1.25=example|2.5.4.11=Sales+2.5.4.3=J. Smith"),
            ),
            // RFC 4514 §4.
            (
                r#"CN=James \"Jim\" Smith\, III"#,
                Some(r#"2.5.4.3=James "Jim" Smith, III"#),
            ),
            (r"CN=Before\0dAfter", Some("2.5.4.3=Before\rAfter")),
            (r"CN=Lu\C4\8Di\C4\87", Some("2.5.4.3=Lučić")),
            (r"CN=\ x\ ", Some("2.5.4.3= x ")),
            (
                "1.3.6.1.4.1.1466.0=#0c024869",
                Some("1.3.6.1.4.1.1466.0=Hi"),
            ),
            ("2.5.4.97=PSD", Some("2.5.4.97=PSD")),
            ("CN=省政务", Some("2.5.4.3=省政务")),
            ("", None),
            ("rp", None),
            ("CN=", None),
            ("CN=a,", None),
            ("XX=a", None),
            (r"CN=a\", None),
            (r"CN=a\0", None),
            (r"CN=\ff", None),
            ("CN=#0c05", None),
            ("CN=#zz", None),
        ] {
            assert_eq!(parts(text).as_deref(), expected, "{text}");
        }
    }
}

//! `${NAME}` in the text of a configuration file, replaced before TOML is read: for labs and containers, which are told by their
//! environment where they stand. Nothing is taken from the environment unless the file names it.
//!
//! `${NAME}` must be set; `${NAME:-default}` stands for the default when it is unset or empty; `$${` is a plain `${`. A value becomes
//! text of the file, quotes included, on the line where its name stood. Lines that are comments are left alone.

use std::env::VarError;

use super::Problem;

/// Replaces every `${…}`; `variable` answers as `std::env::var` does.
pub(super) fn expand(
    text: &str,
    variable: impl Fn(&str) -> Result<String, VarError>,
) -> Result<String, Vec<Problem>> {
    let mut expanded = String::with_capacity(text.len());
    let mut problems = Vec::new();
    for (i, line) in text.split_inclusive('\n').enumerate() {
        if line.trim_start().starts_with('#') {
            expanded.push_str(line);
        } else if let Err(what) = expand_line(line, &variable, &mut expanded) {
            problems.push(Problem {
                line: Some(i + 1),
                what,
            });
        }
    }
    if problems.is_empty() {
        Ok(expanded)
    } else {
        Err(problems)
    }
}

fn expand_line(
    mut line: &str,
    variable: &impl Fn(&str) -> Result<String, VarError>,
    expanded: &mut String,
) -> Result<(), String> {
    while let Some(at) = line.find("${") {
        if let Some(before) = line[..at].strip_suffix('$') {
            expanded.push_str(before);
            expanded.push_str("${");
            line = &line[at + 2..];
            continue;
        }
        expanded.push_str(&line[..at]);
        let (inside, rest) = line[at + 2..]
            .split_once('}')
            .ok_or("${ is not closed on its line; a plain ${ is written $${")?;
        expanded.push_str(&value(inside, variable)?);
        line = rest;
    }
    expanded.push_str(line);
    Ok(())
}

/// What stands for the text between the braces.
fn value(
    inside: &str,
    variable: &impl Fn(&str) -> Result<String, VarError>,
) -> Result<String, String> {
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    let named = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(named) || name.starts_with(|c: char| c.is_ascii_digit())
    {
        return Err(format!(
            "${{{inside}}} names no environment variable; a plain ${{ is written $${{"
        ));
    }
    match (variable(name), default) {
        (Ok(set), Some(default)) if set.is_empty() => Ok(default.to_owned()),
        // A value must not move the lines after it, nor begin a setting of its own. It may be a secret: it is not repeated.
        (Ok(set), _) if set.contains(char::is_control) => Err(format!(
            "the environment variable {name} holds a line break or another control character"
        )),
        (Ok(set), _) => Ok(set),
        (Err(VarError::NotPresent), Some(default)) => Ok(default.to_owned()),
        (Err(VarError::NotPresent), None) => Err(format!(
            "the environment variable {name} is not set, and ${{{name}}} has no default"
        )),
        (Err(VarError::NotUnicode(_)), _) => {
            Err(format!("the environment variable {name} is not UTF-8"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> Result<String, Vec<String>> {
        let variable = |name: &str| match name {
            "HOST" => Ok("id.example.cn".to_owned()),
            "EMPTY" => Ok(String::new()),
            "LIST" => Ok("\"a\", \"b\"".to_owned()),
            "AGAIN" => Ok("${HOST}".to_owned()),
            "LINES" => Ok("a\"\nkek = { file = \"x".to_owned()),
            "BYTES" => Err(VarError::NotUnicode("?".into())),
            _ => Err(VarError::NotPresent),
        };
        expand(text, variable).map_err(|p| p.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn names_are_replaced_by_what_the_environment_says() {
        for (text, result) in [
            ("", ""),
            ("a = 1\n\nb = \"2\"\n", "a = 1\n\nb = \"2\"\n"),
            (
                "id = \"https://${HOST}/\"",
                "id = \"https://id.example.cn/\"",
            ),
            ("${HOST}${HOST}", "id.example.cnid.example.cn"),
            ("${HOST:-other}", "id.example.cn"),
            ("${UNSET:-other}!", "other!"),
            ("${UNSET:-}", ""),
            ("${UNSET:-a:-b $ {c}", "a:-b $ {c"),
            ("${EMPTY}", ""),
            ("${EMPTY:-other}", "other"),
            ("[${LIST}]", "[\"a\", \"b\"]"),
            ("[${UNSET:-\"10.0.0.0/8\"}]", "[\"10.0.0.0/8\"]"),
            // Once: what a value says is not looked up again.
            ("${AGAIN}", "${HOST}"),
            (
                "$${HOST} costs $5 and {HOST}",
                "${HOST} costs $5 and {HOST}",
            ),
            ("$$${HOST}", "$${HOST}"),
            (
                "  # ${UNSET} ${\na = ${HOST}",
                "  # ${UNSET} ${\na = id.example.cn",
            ),
            ("好 = \"${UNSET:-汉字}\"\r\n", "好 = \"汉字\"\r\n"),
        ] {
            assert_eq!(expanded(text), Ok(result.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_replaced_is_said_with_its_line() {
        for (text, problem) in [
            (
                "\n\na = ${UNSET}",
                "line 3: the environment variable UNSET is not set, and ${UNSET} has no default",
            ),
            (
                "a = \"${LINES}\"",
                "line 1: the environment variable LINES holds a line break or another control character",
            ),
            (
                "a = \"${LINES:-x}\"",
                "line 1: the environment variable LINES holds a line break or another control character",
            ),
            (
                "${BYTES:-x}",
                "line 1: the environment variable BYTES is not UTF-8",
            ),
            (
                "a\n${HOST\n}",
                "line 2: ${ is not closed on its line; a plain ${ is written $${",
            ),
            (
                "${}",
                "line 1: ${} names no environment variable; a plain ${ is written $${",
            ),
            (
                "${:-x}",
                "line 1: ${:-x} names no environment variable; a plain ${ is written $${",
            ),
            (
                "${A B}",
                "line 1: ${A B} names no environment variable; a plain ${ is written $${",
            ),
            (
                "${1A}",
                "line 1: ${1A} names no environment variable; a plain ${ is written $${",
            ),
            (
                "${HOST-x}",
                "line 1: ${HOST-x} names no environment variable; a plain ${ is written $${",
            ),
        ] {
            assert_eq!(expanded(text), Err(vec![problem.to_owned()]), "{text}");
        }
        assert_eq!(
            expanded("${UNSET}\nok = ${HOST}\n${BYTES}").map_err(|p| p.len()),
            Err(2),
            "all at once"
        );
    }
}

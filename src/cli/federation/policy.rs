//! `hefu federation policy`: the rules of metadata policy by themselves, a case a line, for whoever wants to hold them
//! against the specification. The rules are in `federation::policy`.

use std::io::{self, BufRead, BufReader, Read, Write};

use clap::Args;

use crate::cli::Outcome;
use crate::federation::policy::case::{Answer, Refusal};

/// Merge metadata policies and apply them: one JSON case per line in, one JSON answer per line out.
///
/// A case is {"superior":{…},"subordinate":{…},"metadata":{…}}: the policies of a superior and of its subordinate, and
/// metadata, all for ONE entity type (parameter → operator → value; no level of entity types). A missing policy is an empty
/// one; other members are ignored.
///
/// The answer is {"merged":{…},"resolved":{…}}, or {"error":…,"description":…} with one of the errors
///   invalid_policy    a policy, a combination of operators, or the merge is not allowed (OpenID Federation 1.0 §6.1.4.1)
///   invalid_metadata  the metadata is malformed or does not comply with the merged policy (§6.1.4.2)
///   invalid_request   the line is not such a case
///
/// Answers come in the order of the cases; an error stops nothing. Operators other than the seven standard ones are
/// ignored (§6.1.3.2) and do not appear in "merged"; whether one is critical is said by statements
/// (metadata_policy_crit), not here. Arrays are sets: their order carries no meaning. The parameter "scope" is a string
/// of words; operators may give it as a string or an array.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(in crate::cli) struct Policy {}

/// The longest line that is read.
const LONGEST: u64 = 4 * 1024 * 1024;

pub(super) fn run() -> Outcome {
    // Larger than the buffer of `stdin`, which is passed by then.
    let input = BufReader::with_capacity(64 * 1024, io::stdin());
    match answer_lines(input, io::BufWriter::with_capacity(64 * 1024, io::stdout())) {
        // A reader that has seen enough is no failure of ours.
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

fn answer_lines(mut input: BufReader<impl Read>, mut output: impl Write) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        // Whoever waits for answers before asking on gets them.
        if !input.buffer().contains(&b'\n') {
            output.flush()?;
        }
        line.clear();
        if (&mut input).take(LONGEST).read_until(b'\n', &mut line)? == 0 {
            return output.flush();
        }
        let answer = if line.len() as u64 == LONGEST && line.last() != Some(&b'\n') {
            skip_line(&mut input)?;
            Answer::Refused {
                error: Refusal::InvalidRequest,
                description: format!("a line of more than {LONGEST} bytes"),
            }
        } else {
            Answer::of(&line)
        };
        serde_json::to_writer(&mut output, &answer.to_json())?;
        output.write_all(b"\n")?;
    }
}

fn skip_line(input: &mut impl BufRead) -> io::Result<()> {
    loop {
        let buffer = input.fill_buf()?;
        if buffer.is_empty() {
            return Ok(());
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let read = end.map_or(buffer.len(), |end| end + 1);
        input.consume(read);
        if end.is_some() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(input: impl Read) -> Vec<serde_json::Value> {
        let mut out = Vec::new();
        answer_lines(BufReader::with_capacity(64 * 1024, input), &mut out).unwrap();
        out.split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect()
    }

    #[test]
    fn a_line_that_never_ends_is_answered_and_passed_over() {
        let long = io::repeat(b'x').take(LONGEST + 100_000);
        let told = answers(long.chain(&b"\n{\"metadata\":{}}\n\n{\"metadata\":{\"a\":1}}"[..]));
        let errors: Vec<_> = told.iter().map(|answer| answer["error"].as_str()).collect();
        assert_eq!(
            errors,
            [Some("invalid_request"), None, Some("invalid_request"), None]
        );
        assert_eq!(told[3]["resolved"]["a"], 1);
    }
}

//! The command line: parses arguments, calls one function, prints the answer.

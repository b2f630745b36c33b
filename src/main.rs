//! The `hefu` program. Everything it does lives in the library.

fn main() -> std::process::ExitCode {
    hefu::cli::main()
}

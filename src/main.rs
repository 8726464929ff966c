//! The program: Portcullis without routes of one's own.

fn main() -> std::process::ExitCode {
    portcullis::cli::main_with(|_| {})
}

//! The `redkeep` program; all of it is in `redkeep::cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    redkeep::cli::main()
}

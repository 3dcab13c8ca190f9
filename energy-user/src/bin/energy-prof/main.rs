//! `energy-prof`: parse, run, tell what went wrong, exit.

mod cli;
mod commands;
mod exit;
mod logging;
mod terminal;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = match cli::parse() {
        Ok(arguments) => arguments,
        Err(status) => return status,
    };
    logging::start(arguments.verbose);
    match commands::run(arguments) {
        Ok(status) => status.into(),
        Err(error) => {
            terminal::complain(&error);
            exit::Status::of(&error).into()
        }
    }
}

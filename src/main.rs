//! maya: live, spoken job interviews. One binary, any subset of the roles.

mod cli;
mod config;
mod platform;

fn main() -> std::process::ExitCode {
    cli::run()
}

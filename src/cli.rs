//! The command line: every command is a small file; what they do together is the platform's.
//!
//! Exit codes: 0 done, 2 bad usage or configuration (all errors at once), 1 anything else.

mod actors;
pub mod api;
pub mod candidate;
mod candidate_args;
mod config_check;
pub mod demo;
mod dlq;
mod fetch;
mod platform_commands;
mod serve;
pub mod webhook;

use crate::{
    config::{Config, ConfigErrors, Role},
    platform::Interrupt,
};
use clap::{Parser, Subcommand};
use maya_protocol::clock;
use std::path::PathBuf;

/// AI interviews that sound like a person and leave the decision to people
#[derive(Debug, Parser)]
#[command(name = "maya", version, propagate_version = true)]
pub struct Cli {
    /// A TOML file over the defaults; MAYA_SECTION__KEY in the environment is over both
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the platform, or some of its roles, until it is told to stop
    Serve(serve::Serve),
    /// Runs the platform on this machine for a person to try, and prints the links
    Up,
    /// Stops what `up` started
    Down,
    /// Holds one whole spoken interview with a test candidate and reports on it
    Demo(demo::Demo),
    /// Applies the database's migrations
    Migrate,
    /// Checks that all topics exist
    Topics(platform_commands::Topics),
    /// Tenants
    #[command(subcommand)]
    Tenant(platform_commands::Tenant),
    /// API keys
    #[command(subcommand)]
    Key(platform_commands::Key),
    /// Joins an interview as a test candidate
    Candidate(candidate_args::CandidateArgs),
    /// Webhooks
    #[command(subcommand)]
    Webhook(webhook::Webhook),
    /// Shows the live actors of all nodes
    Actors(actors::Actors),
    /// Dead letters
    #[command(subcommand)]
    Dlq(dlq::Dlq),
    /// Prints the REST API's description (OpenAPI 3.1)
    Openapi,
    /// The configuration
    #[command(subcommand)]
    Config(config_check::ConfigCommand),
    /// Fetches the parts that a bare machine lacks
    Fetch(fetch::Fetch),
}

/// A command that did what it should, and came to a bad result that it has already explained.
#[derive(Debug, thiserror::Error)]
#[error("not good enough")]
pub struct Failed;

/// Runs the process's command line; returns its exit code.
pub fn run() -> u8 {
    let cli = Cli::parse();
    // the only provider that is built in; an error means that it is installed already
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("maya: {error}");
            return 1;
        }
    };
    let result = runtime.block_on(cli.command.run(cli.config));
    // a model's thread may be in the middle of something that nobody waits for any more
    runtime.shutdown_background();
    match result {
        Ok(()) => 0,
        Err(error) => {
            if !error.is::<Failed>() {
                eprintln!("maya: {error:#}");
            }
            if error.is::<ConfigErrors>() { 2 } else { 1 }
        }
    }
}

impl Command {
    async fn run(self, file: Option<PathBuf>) -> anyhow::Result<()> {
        let file = file.as_deref();
        match self {
            // these need no configuration
            Command::Candidate(args) => args.run(clock::system()).await,
            Command::Webhook(webhook) => webhook.run(clock::system()).await,
            Command::Actors(actors) => actors.run().await,
            Command::Openapi => {
                use std::io::Write as _;
                // a reader that has seen enough is no error
                let _ = writeln!(std::io::stdout(), "{}", crate::platform::openapi());
                Ok(())
            }
            Command::Serve(serve) => serve.run(file).await,
            Command::Config(command) => command.run(file),
            Command::Up => crate::platform::up(whole(file)?).await,
            Command::Down => crate::platform::down(whole(file)?).await,
            Command::Demo(demo) => {
                let script = demo.script()?;
                let interrupt = Interrupt::listen()?;
                let running = crate::platform::start_demo(whole(file)?, demo.keep.clone(), &interrupt).await?;
                let good = interrupt.or(demo.run(script, running.running().clone(), clock::system())).await;
                running.stop().await;
                if good? { Ok(()) } else { Err(Failed.into()) }
            }
            Command::Migrate => crate::platform::migrate(whole(file)?).await,
            Command::Topics(topics) => topics.run(whole(file)?).await,
            Command::Tenant(tenant) => tenant.run(whole(file)?).await,
            Command::Key(key) => key.run(whole(file)?).await,
            Command::Dlq(dlq) => dlq.run(whole(file)?).await,
            Command::Fetch(fetch) => Interrupt::listen()?.or(fetch.run(whole(file)?)).await,
        }
    }
}

/// The configuration for a command that concerns the whole platform.
fn whole(file: Option<&std::path::Path>) -> Result<Config, ConfigErrors> {
    let config = Config::load(file)?;
    config.check(&Role::ALL)?;
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_the_contracts() {
        Cli::command().debug_assert();
        for line in [
            "maya serve --roles gateway,edge --config f.toml",
            "maya migrate",
            "maya topics --create",
            "maya tenant create --name N --email e@x --json",
            "maya key create --tenant 0190d1d0-0000-7000-8000-000000000000 --role OPERATOR --json",
            "maya candidate --join http://h/join?token=x --speak f.txt --record o.wav --json",
            "maya candidate --join http://h/join?token=x --wav f.wav --then silent",
            "maya webhook listen --port 0 --secret whsec_x --json",
            "maya actors --watch --api-key k",
            "maya dlq list",
            "maya dlq replay interview.approved",
            "maya openapi",
            "maya config check",
            "maya fetch",
            "maya demo --interview a.json --speak b.txt --json --keep d",
            "maya up",
            "maya down",
        ] {
            let parsed = Cli::try_parse_from(line.split(' '));
            assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
        }
        for line in ["maya serve --roles gateway,edgy", "maya candidate", "maya key create --tenant x --role ADMIN"] {
            assert_eq!(Cli::try_parse_from(line.split(' ')).unwrap_err().exit_code(), 2, "{line}");
        }
    }
}

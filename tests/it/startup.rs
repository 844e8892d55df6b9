//! How a process begins: told to stop at any moment, killed, and with senses that come late or not at all.

use crate::harness::*;
use maya_embedded::Part;
use maya_testkit::eventually;
use nix::{
    fcntl::{Flock, FlockArg},
    sys::signal::kill,
    unistd::Pid,
};
use serde_json::Value;
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

/// Processes that work in a site's folder or hold a file of it open: what was left behind.
fn at_work_in(folder: &Path) -> Vec<String> {
    let in_folder = |link: PathBuf| fs::read_link(link).is_ok_and(|target| target.starts_with(folder));
    let processes = fs::read_dir("/proc").expect("/proc is there").flatten().map(|entry| entry.path());
    let ours = processes.filter(|process| {
        let open = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
        process.join("exe").exists()
            && (in_folder(process.join("cwd")) || open.into_iter().any(|fd| in_folder(fd.path())))
    });
    let name = |process: &Path| fs::read_to_string(process.join("cmdline")).unwrap_or_default().replace('\0', " ");
    ours.map(|process| format!("{} {}", process.display(), name(&process))).collect()
}

/// `maya` that does not work in the site's folder itself.
fn serve(site: &Site) -> Maya {
    let mut command: Command = site.command(&["serve"]);
    command.current_dir("/");
    Maya::spawn(command)
}

#[tokio::test]
async fn told_to_stop_at_any_moment_of_a_start_it_leaves_nothing_behind() {
    let made = |file: &'static str| move |site: &Site, _: &Maya| site.folder().join(file).exists();
    let logged = |line: &'static str| move |_: &Site, maya: &Maya| maya.whole_log().contains(line);
    type Moment = Box<dyn Fn(&Site, &Maya) -> bool>;
    let moments: [(&str, Moment); 5] = [
        ("the server's folder is there", Box::new(made("postgres/start.lock"))),
        ("the database is being made", Box::new(made("postgres/data.new"))),
        ("the server is being started", Box::new(made("postgres/data/postmaster.pid"))),
        ("the server runs", Box::new(logged("private postgres started"))),
        ("the catalogue was written", Box::new(logged("skill catalogue"))),
    ];
    for (what, moment) in moments {
        let site = Site::embedded();
        let mut maya = serve(&site);
        eventually(DEADLINE, async || moment(&site, &maya).then_some(())).await;
        maya.tell_to_stop();
        let status = maya.ended().await;
        assert!(status.success(), "{what}: {status}\n{}", maya.log());
        assert_eq!(at_work_in(site.folder()), Vec::<String>::new(), "{what}\n{}", maya.log());
        assert!(!maya.whole_log().contains("no transaction in progress"), "{what}\n{}", maya.log());

        // what is left is good enough to start from
        let mut maya = serve(&site);
        maya.until_ready().await;
        assert!(maya.terminate().await.success(), "after {what}");
    }
}

#[tokio::test]
async fn killed_it_leaves_a_server_that_the_next_start_adopts() {
    let site = Site::embedded();
    let server = || -> Option<i32> {
        let pid = fs::read_to_string(site.folder().join("postgres/data/postmaster.pid")).ok()?;
        pid.lines().next()?.trim().parse().ok()
    };
    let mut maya = serve(&site);
    maya.until_ready().await;
    let left = server().expect("a server runs");
    maya.kill().await;
    kill(Pid::from_raw(left), None).expect("the server goes on");
    let mut maya = serve(&site);
    maya.until_ready().await;
    assert_eq!(server(), Some(left));
    assert!(maya.whole_log().contains("joined the private postgres"), "{}", maya.log());
    maya.tell_to_stop();
    assert!(maya.ended().await.success());
    assert_eq!(at_work_in(site.folder()), Vec::<String>::new());
}

/// A cache with links to all parts but one.
fn cache_without(missing: Part) -> tempfile::TempDir {
    let (folder, whole) = (tempfile::tempdir().expect("a temporary folder"), maya_testkit::cache());
    for part in Part::INTERVIEW.into_iter().filter(|part| *part != missing) {
        link(&whole, part, folder.path());
    }
    folder
}

fn link(whole: &maya_embedded::Cache, part: Part, folder: &Path) {
    let from = whole.present(part).unwrap_or_else(|| panic!("{part} is not in the cache: run ./maya test"));
    let from = fs::canonicalize(from).expect("a part's folder");
    std::os::unix::fs::symlink(&from, folder.join(from.file_name().expect("a part has a name"))).expect("a link");
}

/// With the voices of this machine, out of that cache.
async fn with_voices(cache: &Path) -> Site {
    let mut site = Site::quick().await;
    site.set("MAYA_VOICES__KIND", "local");
    site.set("MAYA_VOICES__MAYA", "piper");
    site.set("MAYA_CACHE_DIR", cache.display());
    site
}

async fn is_ready(maya: &Maya, role: &str) -> Option<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let answer = reqwest::get(format!("{}/health/ready", maya.url(role))).await.ok()?;
    answer.status().is_success().then_some(())
}

#[tokio::test]
async fn a_candidate_who_comes_before_the_ear_is_loaded_waits_and_is_then_greeted() {
    let cache = cache_without(Part::Moonshine);
    // as if another process were fetching it
    let lock = File::create(cache.path().join(format!(".{}.lock", Part::Moonshine))).expect("a file");
    let fetching = Flock::lock(lock, FlockArg::LockExclusive).expect("nobody else has it");
    let site = with_voices(cache.path()).await;
    let mut maya = serve(&site);
    assert_eq!(maya.until_ready().await, ["interviewer"]);

    let (_, rest) = site.customer(&maya).await;
    let link_to_join = rest.create(&short_interview()).await.approved().await.join_url;
    let mut socket = Socket::open(&link_to_join).await.expect("the link is good");
    assert_eq!(socket.next_of("STATE").await["state"], "WAITING");
    assert!(is_ready(&maya, "interviewer").await.is_none(), "it cannot hear yet");

    link(&maya_testkit::cache(), Part::Moonshine, cache.path());
    drop(fetching);
    // models of a debug build, on whatever the machine has left
    eventually(2 * DEADLINE, async || is_ready(&maya, "interviewer").await).await;
    let greeting: Value = soon("the greeting", socket.next_of("AGENT_RESPONSE")).await;
    assert!(!greeting["text"].as_str().unwrap_or_default().is_empty(), "{greeting}");
    let heard = async { while socket.next_of("AGENT_RESPONSE").await["data"].as_str().is_none_or(str::is_empty) {} };
    soon("her voice", heard).await;
}

#[tokio::test]
async fn a_sense_that_cannot_be_had_is_named_with_what_to_do_and_the_rest_serves() {
    let cache = cache_without(Part::Moonshine);
    let mut site = with_voices(cache.path()).await;
    // no package client is found
    site.set("PATH", "/nowhere");
    let mut maya = serve(&site);
    maya.until_ready().await;
    eventually(DEADLINE, async || is_ready(&maya, "interviewer").await).await;
    let log = maya.whole_log();
    assert!(log.contains("Hearing is missing: moonshine is not in the model cache: run `./maya fetch`"), "{log}");
    assert!(log.contains("moonshine: pip is missing; install python3"), "{log}");

    let (_, rest) = site.customer(&maya).await;
    let link_to_join = rest.create(&short_interview()).await.approved().await.join_url;
    let mut socket = Socket::open(&link_to_join).await.expect("the link is good");
    let greeting: Value = soon("the greeting", socket.next_of("AGENT_RESPONSE")).await;
    assert!(!greeting["data"].as_str().unwrap_or_default().is_empty(), "she still speaks: {greeting}");
}

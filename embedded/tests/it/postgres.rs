//! The private server: its data, its death, and who may join it.

use crate::shared_cache;
use maya_embedded::{
    PrivatePostgres,
    postgres::{Options, PostgresError, find_running, stop_running},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use sqlx::{Connection, PgConnection};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

/// A data folder below one that only its owner may enter.
fn private_folder() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let data = dir.path().join("data");
    (dir, data)
}

async fn start(data: &Path) -> PrivatePostgres {
    PrivatePostgres::start(&shared_cache(), data).await.unwrap()
}

async fn sql(url: &str, statement: &'static str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
}

async fn count(url: &str) -> i64 {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::query_scalar("select count(*) from said").fetch_one(&mut connection).await.unwrap()
}

async fn gone(pid: u32) {
    let wait = async {
        while kill(Pid::from_raw(pid.cast_signed()), None).is_ok() && !is_zombie(pid) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.expect("the server goes on");
}

fn is_zombie(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "))
}

#[tokio::test]
async fn keeps_its_data_over_a_stop_below_a_folder_closed_to_others() {
    let (_dir, data) = private_folder();
    let server = start(&data).await;
    assert_eq!(find_running(&data).as_deref(), Some(server.url()));
    sql(server.url(), "create extension vector; create table said (line text); insert into said values ('hello')")
        .await;
    let pid = server.pid();
    assert!(server.stop().await.unwrap());
    gone(pid).await;
    assert_eq!(find_running(&data), None);

    let server = start(&data).await;
    assert_eq!(count(server.url()).await, 1);
    assert!(server.stop().await.unwrap());
}

#[tokio::test]
async fn a_wrong_password_is_refused() {
    let (_dir, data) = private_folder();
    let server = start(&data).await;
    let (before, after) = server.url().split_once('@').unwrap();
    let wrong = format!("{}0000@{after}", &before[..before.len() - 4]);
    assert!(PgConnection::connect(&wrong).await.is_err());
    let mode = fs::metadata(data.join("postgres/password")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn works_at_a_long_path() {
    let (_dir, data) = private_folder();
    let data = (0..8).fold(data, |path, _| path.join("a".repeat(200)));
    let server = start(&data).await;
    sql(server.url(), "create table said (line text)").await;
    server.stop().await.unwrap();
}

#[tokio::test]
async fn two_users_share_one_server_and_the_last_stops_it() {
    let (_dir, data) = private_folder();
    let (first, second) = tokio::join!(start(&data), start(&data));
    assert_eq!(first.pid(), second.pid());
    assert!(!first.stop().await.unwrap(), "the other still uses it");
    sql(second.url(), "create table said (line text)").await;
    assert!(second.stop().await.unwrap());
}

#[tokio::test]
async fn one_left_by_a_killed_process_is_joined() {
    let (_dir, data) = private_folder();
    let server = start(&data).await;
    let pid = server.pid();
    sql(server.url(), "create table said (line text)").await;
    // what a killed process leaves: the server, and no lock
    leave_behind(server, &data).await;
    let server = start(&data).await;
    assert_eq!(server.pid(), pid);
    assert_eq!(count(server.url()).await, 0);
    assert!(server.stop().await.unwrap());
    gone(pid).await;
}

/// Ends a claim as the kernel does when its process is killed: the lock goes, nothing else happens.
async fn leave_behind(server: PrivatePostgres, data: &Path) {
    let users = data.join("postgres/users.lock");
    std::mem::forget(server);
    // the forgotten lock is ours still; a new file at its place has none
    fs::remove_file(&users).unwrap();
}

#[tokio::test]
async fn a_killed_server_is_started_again_with_what_was_committed() {
    let (_dir, data) = private_folder();
    let server = start(&data).await;
    sql(server.url(), "create table said (line text); insert into said values ('kept')").await;
    kill(Pid::from_raw(server.pid().cast_signed()), Signal::SIGKILL).unwrap();
    gone(server.pid()).await;
    drop(server);
    let server = start(&data).await;
    assert_eq!(count(server.url()).await, 1);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_stale_pid_that_another_process_has_does_not_keep_it_from_starting() {
    let (_dir, data) = private_folder();
    let server = start(&data).await;
    let file = data.join("postgres/data/postmaster.pid");
    let text = fs::read_to_string(&file).unwrap();
    kill(Pid::from_raw(server.pid().cast_signed()), Signal::SIGKILL).unwrap();
    gone(server.pid()).await;
    drop(server);
    let rest = text.split_once('\n').unwrap().1;
    fs::write(&file, format!("{}\n{rest}", std::process::id())).unwrap();
    assert_eq!(find_running(&data), None);
    start(&data).await.stop().await.unwrap();
}

#[tokio::test]
async fn an_interrupted_first_start_is_made_anew() {
    let (_dir, data) = private_folder();
    fs::create_dir_all(data.join("postgres/data.new/base")).unwrap();
    fs::write(data.join("postgres/password"), "half").unwrap();
    let server = start(&data).await;
    sql(server.url(), "select 1").await;
    server.stop().await.unwrap();
}

#[tokio::test]
async fn it_can_be_stopped_through_its_folder() {
    let (_dir, data) = private_folder();
    assert!(!stop_running(&data).await.unwrap());
    let server = start(&data).await;
    let pid = server.pid();
    assert!(stop_running(&data).await.unwrap());
    gone(pid).await;
}

#[tokio::test]
async fn a_lost_password_is_said() {
    let (_dir, data) = private_folder();
    start(&data).await.stop().await.unwrap();
    fs::remove_file(data.join("postgres/password")).unwrap();
    let error = PrivatePostgres::start(&shared_cache(), &data).await.unwrap_err();
    assert!(matches!(error, PostgresError::PasswordLost(_)), "{error}");
}

#[tokio::test]
async fn one_tied_to_this_process_goes_when_dropped() {
    let (_dir, data) = private_folder();
    let options = Options { durable: false, dies_with_us: true, max_connections: 20 };
    let server = PrivatePostgres::start_with(&shared_cache(), &data, options).await.unwrap();
    let pid = server.pid();
    drop(server);
    gone(pid).await;
}

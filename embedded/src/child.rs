//! Child processes that end with this process, even when it is killed.

use nix::sys::{prctl, signal::Signal};
use std::{
    io,
    os::unix::process::CommandExt,
    process::{Child, Command},
    sync::{Mutex, OnceLock, mpsc},
    thread,
};

type Job = (Command, mpsc::Sender<io::Result<Child>>);

/// Starts a child that the kernel sends `signal` when this process ends.
///
/// The kernel counts the *thread* that started the child as its parent, so all are started from one thread that never
/// ends; a runtime's worker would take them along when the runtime is dropped.
pub fn spawn_tied(mut command: Command, signal: Signal) -> io::Result<Child> {
    static STARTER: OnceLock<Mutex<mpsc::Sender<Job>>> = OnceLock::new();
    let parent = nix::unistd::getpid();
    // SAFETY: prctl and getppid are async-signal-safe, and nothing is allocated between fork and exec
    unsafe {
        command.pre_exec(move || {
            prctl::set_pdeathsig(signal)?;
            // died before the line above: nobody will send the signal any more
            if nix::unistd::getppid() != parent {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            Ok(())
        });
    }
    let starter = STARTER.get_or_init(|| {
        let (jobs, inbox) = mpsc::channel::<Job>();
        let run = move || {
            while let Ok((mut command, reply)) = inbox.recv() {
                // a caller that is gone again leaves a child that still ends with us
                let _ = reply.send(command.spawn());
            }
        };
        thread::Builder::new().name("child-starter".into()).spawn(run).expect("a process can have one more thread");
        Mutex::new(jobs)
    });
    let (reply, answer) = mpsc::channel();
    let jobs = starter.lock().map_err(|_| io::Error::other("child starter"))?;
    jobs.send((command, reply)).map_err(io::Error::other)?;
    drop(jobs);
    answer.recv().map_err(io::Error::other)?
}

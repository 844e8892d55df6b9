//! maya: live, spoken job interviews. One binary, any subset of the roles.

mod cli;
mod config;
mod platform;

use std::io::Write as _;

fn main() {
    let code = cli::run();
    let _ = std::io::stdout().flush();
    let _ = std::io::stderr().flush();
    // Not `exit`: it would run the static destructors of two ONNX Runtimes while a model's thread may still be in the
    // middle of a computation, which ended in a corrupted heap. All that must be stopped in order was.
    #[allow(unsafe_code, reason = "_exit only ends the process")]
    // SAFETY: nothing of this process is used after it.
    unsafe {
        nix::libc::_exit(i32::from(code))
    }
}

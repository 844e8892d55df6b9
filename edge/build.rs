//! Rebuilds when a file of the candidate page is added or changed: `include_dir` alone does not notice new ones.

fn main() {
    println!("cargo:rerun-if-changed=../web/candidate");
}

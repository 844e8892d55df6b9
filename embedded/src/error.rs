//! What can go wrong while a part is fetched, in words that say what to do.

use crate::manifest::Part;
use std::{io, path::PathBuf};

/// A part could not be had.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// A package client, or Python, is not on this machine.
    #[error("{part}: {tool} is missing; {hint}")]
    ToolMissing {
        /// What was to be fetched.
        part: Part,
        /// The command.
        tool: &'static str,
        /// How to get it.
        hint: &'static str,
    },
    /// The client ran and failed: no network, or no such package any more.
    #[error(
        "{part}: {tool} could not fetch {package}: {detail}; check the network and {tool}'s settings, then run this again"
    )]
    Client {
        /// What was to be fetched.
        part: Part,
        /// The command.
        tool: &'static str,
        /// Name and version of the package.
        package: String,
        /// The client's last words.
        detail: String,
    },
    /// What came is not what the manifest names.
    #[error("{part}: {file} has SHA-256 {found}, expected {expected}; it was thrown away, run this again")]
    Checksum {
        /// What was to be fetched.
        part: Part,
        /// The file.
        file: String,
        /// As the manifest says.
        expected: String,
        /// As it is.
        found: String,
    },
    /// The package does not hold what the manifest says.
    #[error("{part}: {package} could not be unpacked: {detail}")]
    Unpack {
        /// What was to be fetched.
        part: Part,
        /// Name and version of the package.
        package: String,
        /// Why.
        detail: String,
    },
    /// The disk said no.
    #[error("{part}: {path}: {source}; check space and permissions")]
    Io {
        /// What was to be fetched.
        part: Part,
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Every source failed; the reasons, in order.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    NoSource(Vec<FetchError>),
}

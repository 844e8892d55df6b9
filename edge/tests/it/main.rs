//! The edge with its real parts: sockets over TCP, the embedded bus and registry, peers over tonic.

mod admission;
mod backlog;
mod bad_input;
mod outage;
mod page;
mod peers;
mod replaced;
mod slow;
mod socket;
mod support;
mod trouble;
mod way_back;

//! The whole system as its users have it: the real binary, real parts, outside clients.

mod bad_input;
mod browser;
mod cluster;
mod embedded;
mod harness;
mod lifecycle;
mod people;
mod recording;
mod spoken;
mod startup;
mod traces;

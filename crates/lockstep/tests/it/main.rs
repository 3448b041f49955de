//! Runs the real binary against simulated apps over loopback.

mod bad_inputs;
mod bench;
mod demo;
mod exit_codes;
mod help;
mod quickstart;
mod situations;
mod why_fixtures;

//! Runs the real binary against simulated apps over loopback.

#![cfg(test)]

mod architecture;
mod bad_inputs;
mod bench;
mod connections;
mod demo;
mod directory;
mod endpoint_logs;
mod exit_codes;
mod help;
mod log_scim;
mod managed;
mod postgres;
mod quickstart;
mod readme;
mod reporting;
mod returning;
mod schemas;
mod seats;
mod serving;
mod situations;
mod why_fixtures;

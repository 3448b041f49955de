//! The deterministic world: directory, planner, executor, store and a simulated app under one seed and one virtual clock.
//!
//! A seed decides everything: who is in the directory, what changes when, which requests and answers are lost, where the
//! process dies. Equal seeds give equal traces. The lane is driven step by step over the same pure and synchronous pieces
//! that the real one uses; while it runs and after it has drained, the invariants are checked against a model of the
//! directory that shares no code with the engine. Deliberately absent: real clocks, threads and sockets.

mod change;
mod dice;
mod hand_edits;
mod invariants;
mod lane_loop;
mod model;
mod network;
mod report;
mod scenario;
mod schedule;
mod trace;
mod world;

pub use report::{Report, SeedReport};
pub use scenario::{Mutant, Options, run, sweep};

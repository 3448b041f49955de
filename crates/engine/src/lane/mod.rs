//! The queue of one app: ownership, pace, and the effects of runs.

pub mod intend;
pub mod inventory;
pub mod pace;
pub mod perform;
pub mod probe;
pub mod run;
pub mod settle;
pub mod writes;

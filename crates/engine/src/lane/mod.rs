//! The queue of one app: ownership, pace, and the effects of runs.

pub mod intend;
pub mod inventory;
pub mod owned;
pub mod pace;
pub mod perform;
pub mod probe;
mod round;
pub mod run;
pub mod settle;
mod spread;
pub mod writes;

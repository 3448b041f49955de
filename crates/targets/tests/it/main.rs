//! The targets with their seeds, with bombs, and a planted fault.

mod bombs;
mod corpus;
mod runner;

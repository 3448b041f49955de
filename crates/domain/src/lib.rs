//! What should be true of every account, and the operations that make it so.
//!
//! Rule: pure and synchronous. No clock, no randomness, no I/O, no logging: the same input gives the same bytes. Deliberately
//! absent: SQL, HTTP, and everything that knows how a value was read or how a request is carried out.

pub mod app;
pub mod audit;
pub mod cause;
mod check;
pub mod connection;
pub mod departure;
pub mod desired;
pub mod difference;
pub mod directory;
pub mod exchange;
pub mod executor;
pub mod expression;
pub mod extension;
pub mod finding;
mod finding_group;
pub mod finding_state;
pub mod finding_step;
pub mod ids;
pub mod mapping;
pub mod merge;
pub mod plan;
mod plan_group;
pub mod plan_user;
mod redaction;
mod redaction_path;
pub mod remote;
pub mod revocation;
pub mod seats;
pub mod signin;
pub mod signin_pair;
pub mod snapshot;
mod source_check;
pub mod token;
pub mod write_call;

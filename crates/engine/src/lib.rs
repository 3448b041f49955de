//! Use cases and effects: load, call a pure function, save.
//!
//! Rule: a business `if` belongs in `domain`, SQL belongs in `store`. Deliberately absent: the real clock, real randomness,
//! the environment and the terminal; they arrive through [`Env`].

pub mod app_cache;
pub mod apps;
pub mod audit_log;
pub mod compare;
mod compare_members;
pub mod confirmations;
pub mod connection_compare;
pub mod connections;
pub mod connectors;
pub mod context;
pub mod departures;
pub mod directory;
pub mod dispatch;
pub mod endpoint;
pub mod error;
pub mod findings;
mod gather;
pub mod lane;
pub mod listing;
pub mod load;
pub mod mapping_preview;
pub mod preview;
pub mod provision;
pub mod revocation;
pub mod schemas;
pub mod scim_log;
pub mod seal;
pub mod seats;
pub mod signin;
pub mod snapshot;
pub mod status;
pub mod tasks;
pub mod tenants;
pub mod token_cache;
pub mod tokens;
pub mod transport;
pub mod webhooks;
pub mod why;

pub use context::{Context, Engine, Env};
pub use error::EngineError;

//! Use cases and effects: load, call a pure function, save.
//!
//! Rule: a business `if` belongs in `domain`, SQL belongs in `store`. Deliberately absent: the real clock, real randomness,
//! the environment and the terminal; they arrive through [`Env`].

pub mod context;
pub mod directory;
pub mod error;
pub mod load;

pub use context::{Context, Engine, Env};
pub use error::EngineError;

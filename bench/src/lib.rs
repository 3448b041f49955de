//! Measurements of Lockstep's own figures beside their bounds; nothing of the product depends on it.

pub mod app;
pub mod bounds;
pub mod clock;
pub mod contenders;
pub mod fill;
pub mod http;
pub mod report;
pub mod steps;
pub mod usage;
pub mod world;

/// What ends a measurement: there is nothing to recover.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

//! Measurements of Lockstep's own figures beside their bounds; nothing of the product depends on it.

pub mod app;
pub mod bounds;
pub mod clock;
pub mod usage;
pub mod world;

/// What a measurement gives; any failure ends it.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

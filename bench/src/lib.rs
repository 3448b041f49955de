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

/// That of the product: what is measured inside these programs runs as it does there.
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What ends a measurement: there is nothing to recover.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

//! Measurements of Lockstep's own figures beside their bounds; nothing of the product depends on it.

pub mod clock;

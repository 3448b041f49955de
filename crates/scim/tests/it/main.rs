//! Integration tests of the protocol core, through its public functions only.

mod bulk;
mod depth;
mod dialect_rules;
mod dialects;
mod filter_matching;
mod filter_roundtrip;
mod patch_examples;
mod patch_model;
mod patch_refusals;
mod patch_scale;

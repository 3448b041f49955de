//! The decisions, tested as plain functions over plain values.
#![cfg(test)]

mod executor;
mod plan;
mod subject;

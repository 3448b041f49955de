//! The decisions, tested as plain functions over plain values.
#![cfg(test)]

mod executor;
mod expression;
mod plan;
mod signin;
mod subject;

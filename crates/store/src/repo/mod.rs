//! The repositories: typed rows, one file per thing, all SQL of the product.

pub mod app;
pub mod audit;
pub mod change;
pub mod connection;
pub mod edge;
pub mod edge_follow;
pub mod group;
pub mod intent;
pub mod lane;
pub mod link;
pub mod load_job;
pub mod lookup;
pub mod mark;
pub mod member;
pub mod merge;
pub mod resource;
pub mod seat;
pub mod signin;
pub mod standing;
pub mod task;
pub mod tenant;
pub mod token;
pub mod user;
pub mod watch;
pub mod webhook;

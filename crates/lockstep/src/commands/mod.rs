//! The commands, one file each: arguments, one call of the engine, output.

pub(crate) mod app;
pub(crate) mod app_mapping;
pub(crate) mod app_scope;
pub(crate) mod app_settings;
pub(crate) mod app_show;
pub(crate) mod completion;
pub(crate) mod directory;
pub(crate) mod directory_undo;
pub(crate) mod edits;
pub(crate) mod group;
pub(crate) mod log;
pub(crate) mod log_scim;
pub(crate) mod plan;
pub(crate) mod provision;
pub(crate) mod push_group;
pub(crate) mod retry;
pub(crate) mod simulate_app;
pub(crate) mod status;
pub(crate) mod sync;
pub(crate) mod tasks;
pub(crate) mod tenant;
pub(crate) mod user;
pub(crate) mod webhook;
pub(crate) mod why;

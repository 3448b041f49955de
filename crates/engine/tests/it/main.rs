//! The engine's tests, on real stores.

#![cfg(test)]

mod confirmations;
mod connection_compare;
mod departures;
mod directory;
#[cfg(test)]
mod dispatch;
mod endpoint_calls;
mod findings;
#[cfg(test)]
mod lane;
#[cfg(test)]
mod lane_limits;
#[cfg(test)]
mod lane_world;
mod load;
mod load_refused;
mod load_resume;
mod merge;
mod presets;
mod required_group;
mod restore;
mod schemas;
mod signin;
mod signin_log;
mod signin_race;
mod tokens;
mod undo;
mod webhooks;
mod world;

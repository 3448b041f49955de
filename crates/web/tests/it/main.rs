//! The endpoint's tests: a real server, real HTTP, on SQLite and on PostgreSQL.

#![cfg(test)]

mod bulk;
mod client;
mod filters;
mod groups;
mod limits;
mod paging;
mod races;
mod routes;
mod scenarios;
mod server;
mod tokens;
mod transport;
mod users;
mod versions;

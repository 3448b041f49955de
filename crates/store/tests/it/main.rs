//! The store's tests: one suite for SQLite and PostgreSQL.

#[cfg(test)]
mod callers;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod group_faults;
#[cfg(test)]
mod migrations;
#[cfg(test)]
mod opening;
#[cfg(test)]
mod plans;
#[cfg(test)]
mod postgres_groups;
#[cfg(test)]
mod race;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod scim_log;
#[cfg(test)]
mod statements;
#[cfg(test)]
mod tables;

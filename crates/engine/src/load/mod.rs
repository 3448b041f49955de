//! Loading users, groups and members from files.

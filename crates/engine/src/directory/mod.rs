//! The directory: the one function that changes it, and the use cases on users, groups and members.
//!
//! Everything that changes a user, a group or a membership goes through [`apply()`]: rows, audit entries and the marks of
//! what may differ in the apps are one transaction.

pub mod apply;
pub mod attribute;
mod draft;
mod extension_data;
pub mod groups;
pub mod managed;
pub(crate) mod membership;
pub mod merge;
mod record;
pub mod resource;
pub mod show;
pub mod users;

pub use apply::{Applied, apply};
pub use groups::{add_member, create_group, delete_group, edit_group, remove_member, restore_group};
pub use managed::{Managed, Manager, Managers, managed_group, managed_user};
pub use merge::{Merge, Unmerged, merge_users, preview_merge, unmerge_users};
pub use show::{
    GroupView, UserView, list_deleted_groups, list_deleted_users, list_groups, list_users, show_group,
    show_user,
};
pub use users::{Edited, Edits, Restored, create_user, delete_user, edit_user, restore_user, set_active};

/// The source of users and groups that are made by hand on the command line or in the console.
pub const CONSOLE: &str = "console";

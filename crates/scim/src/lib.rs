//! SCIM 2.0 (RFC 7643, RFC 7644) as plain values: schemas, resources, paths, filters, PATCH, messages.
//!
//! Nothing here reads a clock, a socket or a file, and every function is total: each input gives a value or a
//! [`ScimError`] that names the place and the rule. Resources are `serde_json::Value`s; what they may contain is
//! decided by a [`ResourceType`], never by Rust types, so that custom extensions are data.

pub mod body;
pub mod bulk;
mod bulk_order;
pub mod datetime;
pub mod dialect;
pub mod discovery;
pub mod error;
pub mod etag;
pub mod filter;
mod filter_check;
mod filter_eval;
mod filter_lexer;
mod filter_parse;
pub mod message;
pub mod patch;
mod patch_apply;
mod patch_elements;
pub mod patch_path;
mod patch_step;
pub mod path;
pub mod project;
pub mod query;
pub mod resource;
pub mod resource_type;
pub mod schema;
pub mod sort;
pub mod urn;

pub use body::read_body;
pub use dialect::Dialect;
pub use error::{ScimError, ScimType};
pub use filter::{Clause, CompareOp, Filter, FilterError, Literal, quote};
pub use message::ListResponse;
pub use patch::{PatchOp, PatchOperation, PatchRequest};
pub use patch_path::PatchPath;
pub use path::AttrPath;
pub use project::{into_projection, project};
pub use query::{ListQuery, Paging, Projection};
pub use resource::{check_type, fold, validate};
pub use resource_type::ResourceType;
pub use schema::{Attribute, AttributeType, Mutability, Returned, Schema, Uniqueness};

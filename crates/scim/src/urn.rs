//! The URNs of RFC 7643 section 10 and RFC 7644 section 8.2.

/// Schema of the core User resource.
pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// Schema of the core Group resource.
pub const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// Schema of the EnterpriseUser extension of User.
pub const ENTERPRISE_USER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
/// Schema of the ServiceProviderConfig resource.
pub const SERVICE_PROVIDER_CONFIG: &str = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig";
/// Schema of the ResourceType resource.
pub const RESOURCE_TYPE: &str = "urn:ietf:params:scim:schemas:core:2.0:ResourceType";
/// Schema of the Schema resource.
pub const SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Schema";
/// Message: a list or query answer.
pub const LIST_RESPONSE: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
/// Message: a query sent by POST to `.search`.
pub const SEARCH_REQUEST: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";
/// Message: a PATCH request.
pub const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
/// Message: a bulk request.
pub const BULK_REQUEST: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
/// Message: a bulk answer.
pub const BULK_RESPONSE: &str = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";
/// Message: an error.
pub const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// What every core schema's URN begins with: its attributes stand at the top level of a resource.
pub const CORE_PREFIX: &str = "urn:ietf:params:scim:schemas:core:";

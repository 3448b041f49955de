//! What a quirk can do: look at a request in the stages in which it is read, and rewrite what it understands.

use serde_json::{Map, Value};

use super::given::Given;
use super::notes::Notes;
use super::{Dialect, QuirkInfo};
use crate::filter::Filter;
use crate::filter_eval::Scope;
use crate::path::AttrPath;
use crate::resource_type::ResourceType;

/// The dialects of a quirk that nobody is known to need in particular.
pub(super) const AUTO: &[Dialect] = &[Dialect::Auto];
/// The dialects of a quirk that Entra needs.
pub(super) const ENTRA: &[Dialect] = &[Dialect::Auto, Dialect::Entra];
/// The dialects of a quirk that does no harm anywhere.
pub(super) const TOLERANT: &[Dialect] = &[Dialect::Auto, Dialect::Okta, Dialect::Entra];

/// One deviation that is understood, by the stages it takes part in, in their order.
pub(super) struct Quirk {
    pub(super) info: QuirkInfo,
    /// The whole body, as JSON.
    pub(super) body: Option<fn(&ResourceType, Message<'_>, &mut Notes)>,
    /// The text of a path or of a name, before it is parsed; `Some` if it means something else.
    pub(super) text: Option<fn(&ResourceType, &str) -> Option<String>>,
    /// A parsed path; `Some` if it means another one.
    pub(super) path: Option<fn(&ResourceType, &AttrPath) -> Option<AttrPath>>,
    /// One attribute with its value.
    pub(super) given: Option<fn(&ResourceType, &mut Given, &mut Notes)>,
    /// One comparison of a filter.
    pub(super) comparison: Option<fn(Scope<'_>, &mut Filter) -> Option<&'static str>>,
    /// Whether a selection in a PATCH may match nothing.
    pub(super) values_may_be_absent: bool,
}

/// A body that is about to be read.
pub(super) enum Message<'b> {
    Patch(&'b mut Map<String, Value>),
    Resource(&'b mut Map<String, Value>),
}

impl Quirk {
    /// A quirk that does nothing yet.
    pub(super) const fn new(
        name: &'static str,
        about: &'static str,
        dialects: &'static [Dialect],
        source: &'static str,
    ) -> Self {
        Self {
            info: QuirkInfo { name, about, dialects, source },
            body: None,
            text: None,
            path: None,
            given: None,
            comparison: None,
            values_may_be_absent: false,
        }
    }
}

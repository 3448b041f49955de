//! Lists of users and groups: filter, paging, projection (RFC 7644 section 3.4.2); the order is that of the ids.

use crate::call::{Call, Kind};
use crate::narrow::narrow;
use crate::state::{Group, Id, User};
use crate::turn::View;
use crate::wire::Response;
use scim::{Filter, ListQuery, ListResponse, Paging, Projection, ResourceType, ScimError};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a list request asks for.
pub(crate) struct Query {
    filter: Option<Filter>,
    /// From 1.
    start_index: usize,
    count: usize,
    projection: Projection,
}

impl Query {
    /// From the query parameters of a GET.
    pub(crate) fn of_call(call: &Call, max_page_size: usize) -> Result<Self, ScimError> {
        Self::new(ListQuery::from_parameters(&call.query)?, max_page_size)
    }

    /// From the body of a POST to `.search` (RFC 7644 section 3.4.3).
    pub(crate) fn of_body(body: &Value, max_page_size: usize) -> Result<Self, ScimError> {
        Self::new(ListQuery::from_search(body)?, max_page_size)
    }

    /// This app neither sorts nor knows cursors: both are ignored, as apps do, and more than it gives is cut.
    fn new(query: ListQuery, max_page_size: usize) -> Result<Self, ScimError> {
        let (start, count) = match query.paging {
            Paging::Index { start, count } => (start, count),
            Paging::Cursor { count, .. } => (1, count),
        };
        let count = count.and_then(|count| usize::try_from(count).ok()).unwrap_or(max_page_size);
        Ok(Self {
            filter: query.filter.as_deref().map(Filter::parse).transpose()?,
            start_index: usize::try_from(start).unwrap_or(usize::MAX),
            count: count.min(max_page_size),
            projection: query.projection,
        })
    }
}

/// The answer to a list request, as a reader of the moment `as_of_ms` sees it.
pub(crate) fn answer(
    view: View<'_>,
    kind: Kind,
    query: &Query,
    as_of_ms: Option<i64>,
) -> Result<Response, ScimError> {
    let (total, resources) = match kind {
        Kind::Users => {
            let (total, page) = select(&Users(view), query, as_of_ms)?;
            (total, page.iter().map(|user| view.user(user, &query.projection)).collect())
        }
        Kind::Groups => {
            let (total, page) = select(&Groups(view), query, as_of_ms)?;
            (total, page.iter().map(|group| view.group(group, &query.projection)).collect())
        }
    };
    let list = ListResponse::new(total as u64, query.start_index as u64, resources);
    Ok(Response::json(200, &list.to_json()))
}

/// One endpoint's rows, so that users and groups are selected by the same code.
trait Rows {
    type Row: Clone;
    const KIND: Kind;
    fn view(&self) -> View<'_>;
    fn resource_type(&self) -> &ResourceType;
    /// All rows of the present, in the order of their ids.
    fn all(&self) -> impl ExactSizeIterator<Item = (&Id, &Self::Row)>;
    fn at(&self, id: &str, as_of_ms: Option<i64>) -> Option<Self::Row>;
    fn stored(row: &Self::Row) -> &Value;
    fn rendered(&self, row: &Self::Row) -> Value;
}

/// How many rows match, and those on the page.
fn select<R: Rows>(
    rows: &R,
    query: &Query,
    as_of_ms: Option<i64>,
) -> Result<(usize, Vec<R::Row>), ScimError> {
    let skipped = query.start_index - 1;
    if query.filter.is_none() && as_of_ms.is_none() {
        let page = rows.all().skip(skipped).take(query.count).map(|(_, row)| row.clone()).collect();
        return Ok((rows.all().len(), page));
    }
    let state = rows.view().state;
    let (mut ids, mut rest) = (None, None);
    if let Some(filter) = &query.filter {
        filter.check(rows.resource_type())?;
        let narrowed = narrow(state, R::KIND, filter, as_of_ms.is_none());
        (ids, rest) = (narrowed.ids, narrowed.rest);
    }
    let mut ids: BTreeSet<Id> = ids.unwrap_or_else(|| rows.all().map(|(id, _)| id.clone()).collect());
    if as_of_ms.is_some() {
        // The indexes know the present only; what changed lately may match as it was before.
        ids.extend(state.history.ids().cloned());
    }
    let needs_rendering = rest.as_ref().is_some_and(looks_at_rendered);
    let matches = |row: &R::Row| match &rest {
        None => true,
        Some(filter) if needs_rendering => filter.matches(rows.resource_type(), &rows.rendered(row)),
        Some(filter) => filter.matches(rows.resource_type(), R::stored(row)),
    };
    let (mut total, mut page) = (0, Vec::new());
    for row in ids.iter().filter_map(|id| rows.at(id, as_of_ms)).filter(matches) {
        if total >= skipped && page.len() < query.count {
            page.push(row);
        }
        total += 1;
    }
    Ok((total, page))
}

struct Users<'a>(View<'a>);

impl Rows for Users<'_> {
    type Row = Arc<User>;
    const KIND: Kind = Kind::Users;

    fn view(&self) -> View<'_> {
        self.0
    }

    fn resource_type(&self) -> &ResourceType {
        &self.0.types.user
    }

    fn all(&self) -> impl ExactSizeIterator<Item = (&Id, &Self::Row)> {
        self.0.state.users.iter()
    }

    fn at(&self, id: &str, as_of_ms: Option<i64>) -> Option<Self::Row> {
        self.0.state.user_at(id, as_of_ms)
    }

    fn stored(row: &Self::Row) -> &Value {
        &row.doc
    }

    fn rendered(&self, row: &Self::Row) -> Value {
        self.0.user(row, &Projection::default())
    }
}

struct Groups<'a>(View<'a>);

impl Rows for Groups<'_> {
    type Row = Arc<Group>;
    const KIND: Kind = Kind::Groups;

    fn view(&self) -> View<'_> {
        self.0
    }

    fn resource_type(&self) -> &ResourceType {
        &self.0.types.group
    }

    fn all(&self) -> impl ExactSizeIterator<Item = (&Id, &Self::Row)> {
        self.0.state.groups.iter()
    }

    fn at(&self, id: &str, as_of_ms: Option<i64>) -> Option<Self::Row> {
        self.0.state.group_at(id, as_of_ms)
    }

    fn stored(row: &Self::Row) -> &Value {
        &row.doc
    }

    fn rendered(&self, row: &Self::Row) -> Value {
        self.0.group(row, &Projection::default())
    }
}

/// Whether a filter asks about what is not in the stored document.
fn looks_at_rendered(filter: &Filter) -> bool {
    filter.attributes().iter().any(|name| {
        let name = name.to_ascii_lowercase();
        ["meta", "groups", "members"].iter().any(|rendered| name.contains(rendered))
    })
}

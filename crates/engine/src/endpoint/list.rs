//! Lists and searches: filter, order, index and cursor paging, projection (RFC 7644 section 3.4.2, RFC 9865).

use std::collections::BTreeMap;

use domain::ids::TenantId;
use scim::query::{ListQuery, Paging};
use scim::sort::{SortKey, check_sort, sort_key};
use scim::{AttrPath, Filter, ListResponse, ScimError};
use serde_json::Value;
use store::repo::resource::{self, Order, Stored};
use store::{Reading, Tx};

use super::cursor::{Cursor, cut, fingerprint};
use super::narrow::{Candidates, is_key, narrow};
use super::reply::Reply;
use super::scan::{Test, walk};
use super::{Call, DEFAULT_PAGE, Kind, MAX_PAGE, departure, render};
use crate::{Engine, EngineError};

/// Resources that are kept while others are looked for.
const KEPT: usize = 20;
/// Resources that are read at once where some of them are not shown.
const SEEN_AT_ONCE: i64 = 500;
/// Resources that an order without an index sorts at most.
const SORT_MAX: usize = 100_000;

/// Answers a list of one kind, or of both. What may take long runs on a thread of its own.
pub(super) async fn run(
    engine: &Engine,
    mut reading: Reading,
    call: &Call,
    kind: Option<Kind>,
    query: &ListQuery,
) -> Result<Reply, EngineError> {
    let (call, query, short) = (call.clone(), query.clone(), is_short(query));
    let tenant = call.caller.tenant.clone();
    let body = move |tx: &mut Tx<'_>| match kind {
        Some(kind) => of_kind(tx, &call, kind, &query),
        None => of_all(tx, &call, &query),
    };
    if short {
        return reading.read(body).await;
    }
    reading.end();
    engine.store.read_long(tenant.as_str(), body).await
}

/// A look-up by a key reads a few rows: a hop to another thread would cost more.
fn is_short(query: &ListQuery) -> bool {
    let filter = query.filter.as_deref().filter(|text| text.len() < 512).map(Filter::parse);
    match filter {
        Some(Ok(Filter::And(terms))) => terms.iter().any(is_key),
        Some(Ok(term)) => is_key(&term),
        _ => false,
    }
}

/// One kind's part of a query, read and checked.
struct Plan<'q> {
    kind: Kind,
    filter: Option<Filter>,
    query: &'q ListQuery,
    fingerprint: String,
}

/// A page with what an answer says about it.
struct Page {
    total: Option<u64>,
    rows: Vec<Stored>,
    next: Option<Cursor>,
}

impl<'q> Plan<'q> {
    fn new(call: &Call, kind: Kind, query: &'q ListQuery, reply: &mut Reply) -> Result<Self, ScimError> {
        let filter = match query.filter.as_deref() {
            Some(text) => {
                let (filter, tolerated) =
                    scim::dialect::normalise_filter(call.type_of(kind), call.caller.dialect(), text)?;
                reply.tolerated.extend(tolerated);
                Some(filter)
            }
            None => None,
        };
        if let Some(path) = &query.sort_by {
            check_sort(call.type_of(kind), path)?;
        }
        let sort = query.sort_by.as_ref().map(AttrPath::to_string).unwrap_or_default();
        let sort = format!("{sort} {}", query.descending);
        let fingerprint = fingerprint(kind, query.filter.as_deref(), &sort);
        Ok(Self { kind, filter, query, fingerprint })
    }

    /// The order, if an index gives it; none: it has to be sorted.
    fn order(&self) -> Option<(Order, bool)> {
        let Some(path) = &self.query.sort_by else { return Some((Order::Id, false)) };
        let name = if self.kind == Kind::User { "username" } else { "displayname" };
        let order = match path.to_string().to_ascii_lowercase().as_str() {
            "id" | "meta.created" => Order::Id,
            "meta.lastmodified" => Order::Modified,
            text if text == name => Order::Name,
            _ => return None,
        };
        Some((order, self.query.descending))
    }

    /// The key of a row in an order that an index gives.
    fn key(order: Order, stored: &Stored) -> String {
        let name = ["userName", "displayName"].iter().find_map(|name| stored.doc.get(*name)?.as_str());
        match order {
            Order::Id => stored.id.clone(),
            Order::Name => scim::fold(name.unwrap_or_default()),
            Order::Modified => stored.modified_ms.to_string(),
        }
    }

    /// The cursor behind the last row, if there may be more.
    fn next(&self, order: Order, rows: &[Stored], more: bool) -> Option<Cursor> {
        let last = rows.last().filter(|_| more)?;
        Some(Cursor::new(&Self::key(order, last), last.id.clone(), &self.fingerprint))
    }
}

/// Where a page begins, and how long it is.
enum Start {
    /// After so many.
    Skip(u64),
    /// After this one; none: the first page.
    After(Option<Cursor>),
}

fn start(plan: &Plan<'_>) -> Result<(Start, usize), ScimError> {
    let (start, count) = match &plan.query.paging {
        Paging::Index { start, count } => (Start::Skip(start.saturating_sub(1)), *count),
        Paging::Cursor { cursor, count } => {
            let cursor = cursor.as_deref().map(|text| Cursor::parse(text, &plan.fingerprint)).transpose()?;
            (Start::After(cursor), *count)
        }
    };
    let count = count.unwrap_or(DEFAULT_PAGE).min(MAX_PAGE);
    Ok((start, usize::try_from(count).unwrap_or(usize::MAX)))
}

fn of_kind(tx: &mut Tx<'_>, call: &Call, kind: Kind, query: &ListQuery) -> Result<Reply, EngineError> {
    let mut reply = Reply { status: 200, ..Reply::default() };
    let plan = Plan::new(call, kind, query, &mut reply)?;
    let page = read_page(tx, call, &plan)?;
    let count = page.rows.len() as u64;
    // A look-up that hits: the filter was about this one.
    if let ([found], Kind::User, Some(_)) = (page.rows.as_slice(), kind, &plan.filter) {
        reply.confirmed.push(found.id.clone());
    }
    let resources = render::many(tx, call, kind, page.rows, &query.projection)?;
    reply.body = Some(body(query, page.total, count, page.next, resources));
    Ok(reply)
}

/// A search over everything: users, then groups. A filter that only suits one kind matches nothing of the other.
fn of_all(tx: &mut Tx<'_>, call: &Call, query: &ListQuery) -> Result<Reply, EngineError> {
    let Paging::Index { start, count } = query.paging else {
        return Err(ScimError::new(
            400,
            Some(scim::ScimType::InvalidCursor),
            "a search over all types is paged by startIndex; use /Users/.search or /Groups/.search with a cursor",
        )
        .into());
    };
    let mut reply = Reply { status: 200, ..Reply::default() };
    let (mut total, mut resources, mut refusals) = (0, vec![], vec![]);
    let mut left = count.unwrap_or(DEFAULT_PAGE).min(MAX_PAGE);
    for kind in [Kind::User, Kind::Group] {
        let skip = start.saturating_sub(1).saturating_sub(total) + 1;
        let part = ListQuery { paging: Paging::Index { start: skip, count: Some(left) }, ..query.clone() };
        let plan = match Plan::new(call, kind, &part, &mut reply) {
            Ok(plan) => plan,
            Err(refusal) => {
                refusals.push(refusal);
                continue;
            }
        };
        let page = read_page(tx, call, &plan)?;
        total += page.total.unwrap_or_default();
        left = left.saturating_sub(page.rows.len() as u64);
        resources.extend(render::many(tx, call, kind, page.rows, &query.projection)?);
    }
    if refusals.len() == 2 {
        return Err(refusals.swap_remove(0).into());
    }
    let count = resources.len() as u64;
    reply.body = Some(body(query, Some(total), count, None, resources));
    Ok(reply)
}

fn body(
    query: &ListQuery,
    total: Option<u64>,
    count: u64,
    next: Option<Cursor>,
    resources: Vec<Value>,
) -> Value {
    let first = match query.paging {
        Paging::Index { start, .. } => start,
        Paging::Cursor { .. } => 1,
    };
    let list =
        ListResponse { items_per_page: count, ..ListResponse::new(total.unwrap_or(count), first, resources) };
    let mut body = list.to_json();
    if let (Paging::Cursor { .. }, Some(fields)) = (&query.paging, body.as_object_mut()) {
        fields.remove("startIndex");
        if total.is_none() {
            // RFC 9865 section 2: a total that would cost a walk over everything is left out.
            fields.remove("totalResults");
        }
        if let Some(next) = next {
            fields.insert("nextCursor".to_owned(), Value::String(next.to_text()));
        }
    }
    body
}

fn read_page(tx: &mut Tx<'_>, call: &Call, plan: &Plan<'_>) -> Result<Page, EngineError> {
    let (start, count) = start(plan)?;
    let Some(order) = plan.order() else { return sorted_page(tx, call, plan, start, count) };
    let Some(filter) = &plan.filter else { return unfiltered_page(tx, call, plan, order, start, count) };
    match narrow(tx, call, plan.kind, filter)? {
        Candidates::Ids(..) => sorted_page(tx, call, plan, start, count),
        Candidates::All if order == (Order::Id, false) => scanned_page(tx, call, plan, start, count),
        Candidates::All => sorted_page(tx, call, plan, start, count),
    }
}

/// Without a filter an index is the list.
fn unfiltered_page(
    tx: &mut Tx<'_>,
    call: &Call,
    plan: &Plan<'_>,
    order: (Order, bool),
    start: Start,
    count: usize,
) -> Result<Page, EngineError> {
    let (tenant, kind) = (&call.caller.tenant, plan.kind);
    let hidden = departure::count_hidden(tx, call, kind)?;
    let total = total(tx, tenant, kind)?.saturating_sub(hidden);
    if hidden > 0 {
        return seen_page(tx, call, plan, order, (start, total), count);
    }
    // One more shows whether there is a next page.
    let limit = i64::try_from(count.saturating_add(1)).unwrap_or(i64::MAX);
    let mut ids = match start {
        Start::Skip(skip) if skip >= total || count == 0 => vec![],
        Start::Skip(skip) => {
            let skipped = i64::try_from(skip).unwrap_or(i64::MAX);
            resource::page(tx, tenant, kind, order, skipped, limit)?
        }
        Start::After(None) => resource::page(tx, tenant, kind, order, 0, limit)?,
        Start::After(Some(cursor)) => {
            let key = match order.0 {
                Order::Modified => cursor.key.parse::<i64>().unwrap_or(0).into(),
                _ => whole_key(tx, call, kind, order.0, &cursor)?.into(),
            };
            resource::page_after(tx, tenant, kind, order, (key, &cursor.id), limit)?
        }
    };
    let more = ids.len() > count;
    ids.truncate(count);
    let rows = resource::get_many(tx, tenant, kind, &ids)?;
    let next = plan.next(order.0, &rows, more);
    Ok(Page { total: Some(total), rows, next })
}

/// The key that a cursor stands for: a long one is only begun there, and the resource has it all.
fn whole_key(
    tx: &mut Tx<'_>,
    call: &Call,
    kind: Kind,
    order: Order,
    cursor: &Cursor,
) -> Result<String, EngineError> {
    let last = resource::get(tx, &call.caller.tenant, kind, &cursor.id)?;
    let key = last.map(|last| Plan::key(order, &last)).filter(|key| cut(key) == cursor.key);
    Ok(key.unwrap_or_else(|| cursor.key.clone()))
}

/// The same where users are left out that the caller does not see: the index is read from the beginning, or from the cursor.
fn seen_page(
    tx: &mut Tx<'_>,
    call: &Call,
    plan: &Plan<'_>,
    order: (Order, bool),
    (start, total): (Start, u64),
    count: usize,
) -> Result<Page, EngineError> {
    let (tenant, kind) = (&call.caller.tenant, plan.kind);
    let (mut skip, mut after) = match start {
        Start::Skip(skip) => (skip, None),
        Start::After(None) => (0, None),
        Start::After(Some(cursor)) => (0, Some((whole_key(tx, call, kind, order.0, &cursor)?, cursor.id))),
    };
    let mut rows: Vec<Stored> = vec![];
    loop {
        let ids = match &after {
            None => resource::page(tx, tenant, kind, order, 0, SEEN_AT_ONCE)?,
            Some((key, id)) => {
                let key = match order.0 {
                    Order::Modified => key.parse::<i64>().unwrap_or(0).into(),
                    _ => key.as_str().into(),
                };
                resource::page_after(tx, tenant, kind, order, (key, id), SEEN_AT_ONCE)?
            }
        };
        let batch = resource::get_many(tx, tenant, kind, &ids)?;
        let Some(last) = batch.last() else { break };
        after = Some((Plan::key(order.0, last), last.id.clone()));
        for stored in Test::new(None).passing(tx, call, kind, batch)? {
            if skip > 0 {
                skip -= 1;
            } else {
                rows.push(stored);
            }
        }
        if rows.len() > count {
            break;
        }
    }
    let more = rows.len() > count;
    rows.truncate(count);
    let next = plan.next(order.0, &rows, more);
    Ok(Page { total: Some(total), rows, next })
}

fn total(tx: &mut Tx<'_>, tenant: &TenantId, kind: Kind) -> Result<u64, EngineError> {
    Ok(u64::try_from(resource::total(tx, tenant, kind)?).unwrap_or(0))
}

/// No index helps: everything is read in the order of ids. With a cursor only as far as the page goes.
fn scanned_page(
    tx: &mut Tx<'_>,
    call: &Call,
    plan: &Plan<'_>,
    start: Start,
    count: usize,
) -> Result<Page, EngineError> {
    let test = Test::new(plan.filter.as_ref());
    let mut rows: Vec<Stored> = vec![];
    match start {
        Start::Skip(skip) => {
            let mut seen = 0_u64;
            walk(tx, call, plan.kind, &test, "", |stored| {
                if seen >= skip && rows.len() < count {
                    rows.push(stored);
                }
                seen += 1;
                Ok(true)
            })?;
            Ok(Page { total: Some(seen), rows, next: None })
        }
        Start::After(cursor) => {
            let after = cursor.map_or_else(String::new, |cursor| cursor.id);
            let mut more = false;
            walk(tx, call, plan.kind, &test, &after, |stored| {
                more = rows.len() >= count;
                if !more {
                    rows.push(stored);
                }
                Ok(!more)
            })?;
            let next = plan.next(Order::Id, &rows, more);
            Ok(Page { total: None, rows, next })
        }
    }
}

/// What matches is collected and sorted: candidates of an index, or an order that no index gives.
fn sorted_page(
    tx: &mut Tx<'_>,
    call: &Call,
    plan: &Plan<'_>,
    start: Start,
    count: usize,
) -> Result<Page, EngineError> {
    let (mut found, mut kept) = matching(tx, call, plan)?;
    found.sort();
    if plan.query.descending {
        found.reverse();
    }
    let skip = match start {
        Start::Skip(skip) => usize::try_from(skip).unwrap_or(usize::MAX),
        Start::After(None) => 0,
        Start::After(Some(cursor)) => {
            let last = last_given(plan, &found, cursor);
            let descending = plan.query.descending;
            found.partition_point(|one| if descending { *one >= last } else { *one <= last })
        }
    };
    let page = found.get(skip..).unwrap_or_default();
    let page = &page[..page.len().min(count)];
    let ids: Vec<String> = page.iter().map(|(_, id)| id.clone()).collect();
    let next = page.last().filter(|_| skip + page.len() < found.len()).map(|(rank, id)| {
        let key = rank.1.as_ref().map(SortKey::to_text).unwrap_or_default();
        Cursor::new(&key, id.clone(), &plan.fingerprint)
    });
    let rows = match ids.iter().map(|id| kept.remove(id)).collect() {
        Some(rows) => rows,
        None => resource::get_many(tx, &call.caller.tenant, plan.kind, &ids)?,
    };
    Ok(Page { total: Some(found.len() as u64), rows, next })
}

/// Where a cursor stands among what is sorted, whether or not that resource is still there or has moved.
fn last_given(plan: &Plan<'_>, found: &[(Rank, String)], cursor: Cursor) -> (Rank, String) {
    let text = |rank: &Rank| rank.1.as_ref().map(SortKey::to_text).unwrap_or_default();
    // A long key is only begun in the cursor; the resource has it all.
    let same = found.iter().find(|(rank, id)| *id == cursor.id && cut(&text(rank)) == cursor.key);
    same.cloned().unwrap_or_else(|| {
        let key = SortKey::parse(&cursor.key);
        ((plan.query.sort_by.is_some() && key.is_none(), key), cursor.id)
    })
}

/// Key and id of everything that matches, and the first resources themselves: mostly that is all that was asked for.
fn matching(tx: &mut Tx<'_>, call: &Call, plan: &Plan<'_>) -> Result<Matching, EngineError> {
    let (mut found, mut kept) = (vec![], BTreeMap::new());
    let mut take = |stored: Stored| -> Result<bool, EngineError> {
        if found.len() >= SORT_MAX {
            return Err(ScimError::new(
                400,
                Some(scim::ScimType::TooMany),
                format!("more than {SORT_MAX} resources would have to be sorted; filter more, or sort by id, userName, displayName or meta.lastModified"),
            )
            .into());
        }
        found.push((rank(call, plan, &stored), stored.id.clone()));
        if kept.len() < KEPT {
            kept.insert(stored.id.clone(), stored);
        }
        Ok(true)
    };
    let candidates = match &plan.filter {
        Some(filter) => narrow(tx, call, plan.kind, filter)?,
        None => Candidates::All,
    };
    match candidates {
        Candidates::All => walk(tx, call, plan.kind, &Test::new(plan.filter.as_ref()), "", take)?,
        Candidates::Ids(ids, rest) => {
            let test = Test::new(rest.as_ref());
            let ids: Vec<String> = ids.into_iter().collect();
            for chunk in ids.chunks(512) {
                let rows = resource::get_many(tx, &call.caller.tenant, plan.kind, chunk)?;
                for stored in test.passing(tx, call, plan.kind, rows)? {
                    take(stored)?;
                }
            }
        }
    }
    Ok((found, kept))
}

type Matching = (Vec<(Rank, String)>, BTreeMap<String, Stored>);

/// What a resource is sorted by; without `sortBy` the id alone decides.
type Rank = (bool, Option<SortKey>);

fn rank(call: &Call, plan: &Plan<'_>, stored: &Stored) -> Rank {
    let Some(path) = &plan.query.sort_by else { return (false, None) };
    let (whole, _) = render::assemble(call, plan.kind, stored.clone(), &[], vec![], "");
    let key = sort_key(call.type_of(plan.kind), path, &whole);
    // RFC 7644 section 3.4.2.3: without a value last when ascending, first when descending.
    (key.is_none(), key)
}

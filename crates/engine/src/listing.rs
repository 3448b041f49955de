//! Reads all users or groups of an app, with a proof that the read was complete.

use std::collections::BTreeSet;

use domain::remote::Remote;
use scim::ListResponse;
use serde::Serialize;
use serde_json::Value;

use crate::connectors::scim::{list_request, remote, retry_after_ms};
use crate::context::Env;
use crate::transport::Transport;

/// Objects asked for per page; apps cap it themselves.
const PAGE: usize = 200;
/// Objects that are read at most.
const OBJECT_CAP: usize = 2_000_000;
/// How often one page is asked for again after a failure.
const TRIES: u32 = 4;

/// Everything that was read, and whether it is everything.
#[derive(Clone, Debug)]
pub struct Listing {
    /// The objects in the order of the app.
    pub objects: Vec<Remote>,
    /// Why the read is complete, or why it is not.
    pub proof: Proof,
    /// When the first page was requested, Unix milliseconds.
    pub requested_ms: i64,
}

/// The proof of completeness.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// Every page was read to its end, counts agree, no object came twice.
    pub complete: bool,
    /// Pages that were read.
    pub pages: usize,
    /// What the app says there are.
    pub total: u64,
    /// What was read.
    pub read: usize,
    /// What is wrong with an incomplete read.
    pub problem: Option<String>,
}

/// Reads `/Users` or `/Groups` to its end.
pub async fn read_all(transport: &Transport, env: &dyn Env, endpoint: &str) -> Listing {
    let mut listing = Listing {
        objects: vec![],
        proof: Proof { complete: false, pages: 0, total: 0, read: 0, problem: None },
        requested_ms: env.now_ms(),
    };
    let mut seen = BTreeSet::new();
    loop {
        let page = match read_page(transport, env, endpoint, listing.objects.len() + 1).await {
            Ok(page) => page,
            Err(problem) => return refuse(listing, problem),
        };
        listing.proof.pages += 1;
        if listing.proof.pages > 1 && page.total_results != listing.proof.total {
            let problem = format!(
                "the total changed from {} to {} while reading",
                listing.proof.total, page.total_results
            );
            return refuse(listing, problem);
        }
        listing.proof.total = page.total_results;
        let came = page.resources.len();
        for doc in page.resources {
            let Some(object) = remote(doc, None) else {
                return refuse(listing, "an object without an id".into());
            };
            if !seen.insert(object.id.clone()) {
                let problem = format!("the object {} came twice", object.id);
                return refuse(listing, problem);
            }
            listing.objects.push(object);
        }
        listing.proof.read = listing.objects.len();
        let total = usize::try_from(page.total_results).unwrap_or(usize::MAX);
        if listing.objects.len() == total {
            listing.proof.complete = true;
            return listing;
        }
        if listing.objects.len() > total || came == 0 || total > OBJECT_CAP {
            let problem = format!("the app says {total} objects, but {} came", listing.objects.len());
            return refuse(listing, problem);
        }
    }
}

fn refuse(mut listing: Listing, problem: String) -> Listing {
    listing.proof.problem = Some(problem);
    listing
}

async fn read_page(
    transport: &Transport,
    env: &dyn Env,
    endpoint: &str,
    start_index: usize,
) -> Result<ListResponse, String> {
    let request = list_request(endpoint, start_index, PAGE, false);
    let mut problem = String::new();
    for attempt in 0..TRIES {
        let mut pause_ms = 200 << attempt;
        match transport.send(&request).await {
            Ok(answer) if answer.status == 200 => {
                let parsed = serde_json::from_slice::<Value>(&answer.body).map_err(|error| error.to_string());
                return parsed
                    .and_then(|json| ListResponse::from_json(&json).map_err(|error| error.detail))
                    .map_err(|error| format!("page at {start_index} is not a SCIM list: {error}"));
            }
            Ok(answer) => {
                problem = format!("page at {start_index} was answered with status {}", answer.status);
                if answer.status == 429 || answer.status == 503 {
                    pause_ms = retry_after_ms(answer.retry_after.as_deref(), env.now_ms());
                } else if answer.status < 500 {
                    return Err(problem);
                }
            }
            Err(error) => problem = format!("page at {start_index} did not come: {error:?}"),
        }
        tokio::time::sleep(std::time::Duration::from_millis(pause_ms.clamp(1, 60_000).unsigned_abs())).await;
    }
    Err(problem)
}

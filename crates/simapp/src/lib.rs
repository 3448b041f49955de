//! A scriptable SCIM 2.0 app: real state, the rules of real apps, and faults on demand.
//!
//! [`App::handle`] is synchronous and pure of time: the caller passes the clock, and randomness
//! comes from a seed in [`Config`]. So the same app runs inside a deterministic simulation and, through
//! [`serve`], behind real HTTP. What the app holds is inspected and edited out of band with the
//! methods of [`App`], or over HTTP under `/_sim/`.
//!
//! ```
//! use simapp::{App, Config, Fault, Reply, Request};
//!
//! let mut app = App::new(Config::default());
//! app.add_fault(Fault::parse("post-users:lost-answer-after=#1").expect("a good fault"));
//! let mut request = Request::new("POST", "/scim/v2/Users");
//! request.body = br#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ada"}"#.to_vec();
//! assert_eq!(app.handle(&request, 0), Reply::Reset { delay_ms: 0 });
//! assert!(app.user_by_name("ada").is_some(), "the answer was lost, the account is there");
//! ```

mod admin;
mod app;
mod call;
mod config;
mod discovery;
pub mod faults;
mod group_patch;
mod groups;
mod history;
mod inspect;
mod list;
mod members;
mod narrow;
mod random;
mod render;
mod seen;
mod server;
mod state;
mod turn;
mod users;
mod wire;

pub use app::App;
pub use call::{Call, Kind, Target, Verb};
pub use config::{Config, ConfigError, UnknownMembers};
pub use faults::{Fault, FaultError, FaultRule, FaultStatus};
pub use inspect::EditError;
pub use random::Random;
pub use scim::datetime::{http_date, rfc3339};
pub use seen::{Seen, SeenRequest};
pub use server::{Clock, Running, serve};
pub use wire::{Reply, Request, Response};

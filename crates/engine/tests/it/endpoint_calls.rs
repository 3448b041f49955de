//! Requests to the endpoint, as tests send them: without HTTP, with everything else.

use std::sync::Arc;

use domain::connection::{ConnectionSettings, IdentityProvider};
use engine::connections;
use engine::endpoint::{self, Caller, Kind, Operation, Reply, Request};
use futures::executor::block_on;
use scim::query::{ListQuery, Projection, parameters};
use serde_json::{Value, json};

use crate::world::World;

/// A client of the endpoint; settings and schemas are read with each request, as a server does.
pub(crate) struct Client<'w> {
    pub(crate) world: &'w World,
    pub(crate) connection: String,
    pub(crate) name: &'static str,
    pub(crate) settings: ConnectionSettings,
}

impl<'w> Client<'w> {
    pub(crate) fn new(world: &'w World, settings: ConnectionSettings) -> Self {
        Self { world, connection: "id-of-okta".into(), name: "okta", settings }
    }

    /// A client of a connection that is made with these settings.
    pub(crate) fn of(world: &'w World, name: &'static str, settings: ConnectionSettings) -> Self {
        let (engine, tenant) = (&world.engine, &world.tenant);
        let added = connections::add(engine, tenant, name, IdentityProvider::Okta, settings.clone());
        let connection = block_on(added).unwrap().id.to_string();
        Self { world, connection, name, settings }
    }

    /// Changes the settings, as an administrator does.
    pub(crate) fn set(&mut self, edit: impl Fn(&mut ConnectionSettings) + Send + 'static) {
        let (engine, tenant) = (&self.world.engine, &self.world.tenant);
        let changed = connections::change(engine, tenant, self.name, move |_, _, settings| {
            edit(settings);
            Ok(())
        });
        self.settings = block_on(changed).unwrap().settings;
    }

    /// Whatever the answer is.
    pub(crate) fn send(&self, operation: Operation, projection: Projection) -> Reply {
        let engine = &self.world.engine;
        let caller = Caller {
            tenant: self.world.tenant.clone(),
            connection: self.connection.clone(),
            source: format!("connection:{}", self.name),
            actor: format!("connection:{}", self.name),
            settings: Arc::new(self.settings.clone()),
            read_only: false,
            me: None,
            base: "https://scim.example/scim/v2".into(),
            types: block_on(engine.types(&self.world.tenant)).unwrap(),
        };
        let request = Request { operation, if_match: None, if_none_match: None, projection };
        // What may take long needs threads of its own.
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(endpoint::handle(engine, &caller, request, "trace"))
    }

    fn sent(&self, operation: Operation) -> Reply {
        self.send(operation, Projection::default())
    }

    pub(crate) fn post(&self, kind: Kind, body: Value) -> Reply {
        self.sent(Operation::Create(kind, body))
    }

    /// Creates a user that must be accepted; gives its id.
    #[track_caller]
    pub(crate) fn create(&self, body: Value) -> String {
        let reply = self.post(Kind::User, body);
        assert_eq!(reply.status, 201, "{:?}", reply.body);
        reply.body.unwrap()["id"].as_str().unwrap().to_owned()
    }

    pub(crate) fn get(&self, kind: Kind, id: &str) -> Reply {
        self.sent(Operation::Get(kind, id.to_owned()))
    }

    pub(crate) fn put(&self, kind: Kind, id: &str, body: Value) -> Reply {
        self.sent(Operation::Replace(kind, id.to_owned(), body))
    }

    pub(crate) fn patch(&self, kind: Kind, id: &str, operations: Value) -> Reply {
        let body = json!({"schemas": [scim::urn::PATCH_OP], "Operations": operations});
        self.sent(Operation::Patch(kind, id.to_owned(), body))
    }

    pub(crate) fn delete(&self, id: &str) -> Reply {
        self.sent(Operation::Delete(Kind::User, id.to_owned()))
    }

    /// A list by query parameters.
    pub(crate) fn list(&self, kind: Kind, query: &str) -> Reply {
        let query = ListQuery::from_parameters(&parameters(query)).unwrap();
        self.sent(Operation::List(Some(kind), Box::new(query)))
    }

    /// The userNames of a list, in its order.
    #[track_caller]
    pub(crate) fn names(&self, query: &str) -> Vec<String> {
        let reply = self.list(Kind::User, query);
        assert_eq!(reply.status, 200, "{query}: {:?}", reply.body);
        let body = reply.body.unwrap();
        let resources = body["Resources"].as_array().cloned().unwrap_or_default();
        resources.iter().map(|user| user["userName"].as_str().unwrap().to_owned()).collect()
    }
}

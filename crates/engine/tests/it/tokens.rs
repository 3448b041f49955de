//! Tokens: who they stand for, when they stop, and what is kept of them.

use domain::connection::{ConnectionSettings, IdentityProvider, Principal, TokenScope};
use domain::ids::TenantId;
use engine::tokens::{Minted, TokenRequest};
use engine::{EngineError, connections, tenants, tokens};
use futures::executor::block_on;
use store::repo::{audit, connection, token};
use store::testing::on_each;

use crate::world::{World, options};

const DAY_MS: i64 = 86_400_000;

fn connect(world: &World, name: &str) {
    let settings = ConnectionSettings::of(IdentityProvider::Okta);
    block_on(connections::add(&world.engine, &world.tenant, name, IdentityProvider::Okta, settings)).unwrap();
}

fn request(connection: Option<&str>) -> TokenRequest {
    TokenRequest {
        name: None,
        scope: TokenScope::Scim,
        connection: connection.map(Into::into),
        user: None,
        expires_ms: None,
    }
}

fn create(world: &World, request: TokenRequest) -> Minted {
    block_on(tokens::create(&world.engine, &world.tenant, request)).unwrap()
}

fn asks(world: &World, text: &str) -> Option<Principal> {
    block_on(tokens::authenticate(&world.engine, text)).unwrap()
}

#[test]
fn a_token_stands_for_its_tenant_and_connection_and_nothing_else_does() {
    on_each(options, |_, store| {
        let world = World::on(store);
        assert_eq!(asks(&world, "lsk_none"), None, "without a token nobody comes in");
        connect(&world, "okta");
        let minted = create(&world, request(Some("okta")));
        let principal = asks(&world, minted.text.expose()).unwrap();
        assert_eq!((&principal.tenant, &principal.token), (&world.tenant, &minted.token.id));
        assert_eq!(principal.connection.unwrap().name, "okta");
        assert_eq!((principal.scope, principal.token_name.as_str()), (TokenScope::Scim, "okta"));
        assert_eq!(principal.user, None);

        let text = minted.text.expose().to_owned();
        let stranger = domain::token::NewToken::mint([1, 2], [3, 4, 5, 6]).text;
        let same_id = format!("{}{}", &text[..16], &stranger[16..]);
        for wrong in ["", " ", "Bearer", &text[1..], &text[..66], &text.to_lowercase(), &stranger, &same_id] {
            assert_eq!(asks(&world, wrong), None, "{wrong}");
        }
    });
}

#[test]
fn a_token_ends_when_it_is_revoked_or_expires_and_two_overlap_after_a_rotation() {
    on_each(options, |_, store| {
        let world = World::on(store);
        connect(&world, "okta");
        let end = world.engine.env.now_ms() + 10 * DAY_MS;
        let old = create(&world, TokenRequest { expires_ms: Some(end), ..request(Some("okta")) });
        let new = block_on(tokens::rotate(&world.engine, &world.tenant, "okta", 2 * DAY_MS, None)).unwrap();
        let works = |minted: &Minted| asks(&world, minted.text.expose()).is_some();
        assert_eq!(new.token.connection, old.token.connection);
        assert!(works(&old) && works(&new));
        world.advance(2 * DAY_MS);
        assert!(!works(&old) && works(&new), "the overlap is over");
        world.advance(9 * DAY_MS);
        assert!(!works(&new), "the new one lives as long as the old one was meant to");

        let other = create(&world, TokenRequest { name: Some("spare".into()), ..request(None) });
        assert!(works(&other));
        block_on(tokens::revoke(&world.engine, &world.tenant, "spare")).unwrap();
        assert!(!works(&other));
        let again = block_on(tokens::revoke(&world.engine, &world.tenant, "spare"));
        assert!(matches!(again, Err(EngineError::NotFound { .. })), "{again:?}");
        let past = TokenRequest { expires_ms: Some(1), ..request(None) };
        assert!(block_on(tokens::create(&world.engine, &world.tenant, past)).is_err());
    });
}

#[test]
fn a_removed_connection_takes_its_tokens_with_it() {
    on_each(options, |_, store| {
        let world = World::on(store);
        connect(&world, "okta");
        connect(&world, "entra");
        let gone = create(&world, request(Some("okta")));
        let stays = create(&world, request(Some("entra")));
        assert_eq!(block_on(connections::remove(&world.engine, &world.tenant, "okta")).unwrap(), 1);
        assert_eq!(asks(&world, gone.text.expose()), None);
        assert!(asks(&world, stays.text.expose()).is_some());
        // A token that was made while its connection went does not become one of the whole tenant.
        let (tenant, id) = (world.tenant.clone(), stays.token.connection.clone().unwrap());
        world.engine.store.write_blocking(move |tx| connection::delete(tx, &tenant, &id)).unwrap();
        assert_eq!(asks(&world, stays.text.expose()), None);
    });
}

#[test]
fn a_tenant_cannot_reach_the_tokens_of_another() {
    on_each(options, |_, store| {
        let world = World::on(store);
        let minted = create(&world, request(None));
        let other: TenantId = block_on(tenants::create(&world.engine, "beta")).unwrap().id;
        let refused = block_on(tokens::revoke(&world.engine, &other, minted.token.id.as_str()));
        assert!(matches!(refused, Err(EngineError::NotFound { .. })));
        let refused = block_on(tokens::rotate(&world.engine, &other, minted.text.expose(), 0, None));
        let refused = refused.unwrap_err().to_string();
        assert!(!refused.contains(minted.text.expose()), "an error never repeats a token: {refused}");
        assert_eq!(asks(&world, minted.text.expose()).unwrap().tenant, world.tenant);
        assert!(block_on(tokens::list(&world.engine, &other)).unwrap().is_empty());
    });
}

#[test]
fn what_is_kept_of_a_token_does_not_open_anything() {
    on_each(options, |_, store| {
        let world = World::on(store);
        connect(&world, "okta");
        let first = create(&world, request(Some("okta")));
        let second = block_on(tokens::rotate(&world.engine, &world.tenant, "okta", 0, None)).unwrap();
        block_on(tokens::revoke(&world.engine, &world.tenant, second.token.id.as_str())).unwrap();
        let kept = world.read(|tx, tenant| {
            let entries = audit::list(tx, tenant, None, "", 100)?;
            Ok(format!("{:?} {entries:?}", token::list(tx, tenant)?))
        });
        for minted in [&first, &second] {
            let secret = &minted.text.expose()[17..60];
            assert!(!kept.contains(secret) && !format!("{minted:?}").contains(secret));
        }
        let actions = world.actions();
        for action in ["connection.add", "token.create", "token.rotate", "token.revoke"] {
            assert!(actions.iter().any(|known| known == action), "{action}: {actions:?}");
        }
    });
}

#[test]
fn the_last_use_is_noted_once_a_minute() {
    on_each(options, |_, store| {
        let world = World::on(store);
        let id = create(&world, request(None)).token.id;
        let used = || {
            block_on(tokens::touch(&world.engine, std::slice::from_ref(&id))).unwrap();
            block_on(tokens::list(&world.engine, &world.tenant)).unwrap()[0].last_used_ms
        };
        let first = used();
        assert!(first.is_some());
        world.advance(30_000);
        assert_eq!(used(), first);
        world.advance(31_000);
        assert!(used() > first);
    });
}

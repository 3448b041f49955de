//! What other people do in the app by hand, behind our back.

use serde_json::{Value, json};

use crate::dice::Dice;
use crate::model::Model;
use crate::world::World;

/// Edits the app once; false if the dice asked for something that is not possible now.
pub(crate) fn edit_by_hand(world: &mut World, model: &Model, dice: &mut Dice) -> bool {
    let now_ms = world.now_ms;
    let accounts = ids(&world.remote.users());
    let groups = ids(&world.remote.groups());
    let account = dice.pick(&accounts).cloned();
    let group = dice.pick(&groups).cloned();
    let remote = &mut world.remote;
    let done = match (dice.below(8), account, group) {
        (0, Some(id), _) => remote
            .set_user(&id, "name.familyName", json!("Changed by hand"), now_ms)
            .map(|()| format!("edits {id}")),
        (1, Some(id), _) => {
            remote.set_user(&id, "active", json!(false), now_ms).map(|()| format!("deactivates {id}"))
        }
        (2, Some(id), _) => {
            remote.set_user(&id, "active", json!(true), now_ms).map(|()| format!("activates {id}"))
        }
        (3, Some(id), _) => remote.delete_user(&id, now_ms).map(|()| format!("deletes {id}")),
        (4, _, Some(id)) => {
            remote.rename_group(&id, "Renamed by hand", now_ms).map(|()| format!("renames {id}"))
        }
        (5, _, Some(id)) => remote.delete_group(&id, now_ms).map(|()| format!("deletes {id}")),
        (6, ..) => return stranger(world, model, dice),
        (7, Some(id), _) => {
            let name = free_names(remote, model).first().map(|name| (*name).clone());
            let Some(name) = name else { return false };
            remote.set_user(&id, "userName", json!(name), now_ms).map(|()| format!("renames {id} to {name}"))
        }
        _ => return false,
    };
    let Ok(text) = done else { return false };
    world.note(format!("by hand: {text}"));
    world.fault("hand-edit");
    true
}

/// Somebody makes an account for one of our users who has none.
fn stranger(world: &mut World, model: &Model, dice: &mut Dice) -> bool {
    let names = free_names(&world.remote, model);
    let Some(name) = dice.pick(&names) else { return false };
    let doc = json!({"schemas": [scim::urn::USER], "userName": name, "active": true});
    // A way past the faults and counters: it is not our request.
    let request = simapp::Request::new("POST", "/scim/v2/Users").with_json(&doc);
    let loaded: Vec<simapp::Fault> =
        world.remote.faults().iter().filter_map(|status| simapp::Fault::parse(&status.text).ok()).collect();
    world.remote.set_faults(vec![]);
    let reply = world.remote.handle(&request, world.now_ms);
    world.remote.set_faults(loaded);
    let made = reply.response().is_some_and(|response| response.status == 201);
    let text = format!("by hand: makes an account named {name}: {made}");
    world.note(text);
    world.fault("hand-edit");
    made
}

fn ids(docs: &[Value]) -> Vec<String> {
    docs.iter().filter_map(|doc| doc.get("id")?.as_str().map(str::to_owned)).collect()
}

/// User names of ours that no account in the app has.
fn free_names<'a>(remote: &simapp::App, model: &'a Model) -> Vec<&'a String> {
    let free = |name: &&String| remote.user_by_name(name).is_none();
    model
        .people
        .iter()
        .filter(|person| !person.deleted)
        .map(|person| &person.user_name)
        .filter(free)
        .collect()
}

//! What files say by themselves: read and checked as every load does it, without a directory to compare with.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Input, LoadRequest};
use crate::EngineError;
use crate::schemas::ResourceTypes;

/// The content of files, in their order. Lines count from 1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Documents {
    /// Line and SCIM user of each row, as if nobody were there yet; or what is wrong with a value.
    pub users: Vec<(usize, Result<Value, String>)>,
    /// The same for groups.
    pub groups: Vec<(usize, Result<Value, String>)>,
    /// Line, group and member of each row of a members file.
    pub members: Vec<(usize, String, String)>,
}

/// Reads files whose columns are attributes of these types. Bad input is [`EngineError::Invalid`] as for [`super::load`].
pub fn documents(request: LoadRequest, types: &Arc<ResourceTypes>) -> Result<Documents, EngineError> {
    let input = Input::read(request, types.clone())?;
    let rows = |table: &Option<super::table::Table>| {
        let rows = table.iter().flat_map(|table| table.rows.iter().map(move |row| (table, row)));
        rows.map(|(table, row)| {
            let mut doc = json!({});
            (row.line, table.carry_out(row, &mut doc).map(|()| doc))
        })
        .collect()
    };
    Ok(Documents {
        users: rows(&input.users),
        groups: rows(&input.groups),
        members: input.members.map(|pairs| pairs.rows).unwrap_or_default(),
    })
}
